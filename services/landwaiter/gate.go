package landwaiter

import (
	"fmt"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/printout"
)

// severityOf reads a severity from the command line; blank is none.
func severityOf(s string) (verdict.Severity, error) {
	switch severity := verdict.Severity(strings.ToLower(s)); severity {
	case "", verdict.Critical, verdict.High, verdict.Medium, verdict.Low, verdict.Negligible:
		return severity, nil
	default:
		return "", fmt.Errorf("--fail-on %q is none of critical, high, medium, low, negligible", s)
	}
}

// gate decides what a scan's reports mean for whoever called it. A report of a
// scan that failed is a failure whatever else there is; with a threshold, a
// finding at or above it is exitFindings, and what could not be known is
// exitUnknown: unknown is never clean.
func gate(env Env, threshold verdict.Severity, reports []verdict.Report) error {
	var worst error
	for _, r := range reports {
		if err := gateOne(env, threshold, r); err != nil && (worst == nil || graver(err, worst)) {
			worst = err
		}
	}
	return worst
}

// graver: a finding goes before a failure, and both before what is not known.
func graver(a, b error) bool {
	order := map[error]int{exit{exitFindings}: 0, exit{exitFailed}: 1, exit{exitUnknown}: 2}
	return order[a] < order[b]
}

func gateOne(env Env, threshold verdict.Severity, r verdict.Report) error {
	name := printout.Clean(printout.Name(r.Image))
	if threshold != "" {
		at, unrated := 0, 0
		for _, f := range r.Findings {
			switch {
			case printout.Rank(f.Severity) <= printout.Rank(threshold):
				at++
			case f.Severity == verdict.Unknown:
				unrated++
			}
		}
		if at > 0 {
			env.warn("%s: %d findings are %s or worse", name, at, threshold)
			return exit{exitFindings}
		}
		if r.Status != verdict.Failed {
			return known(env, name, threshold, unrated, r)
		}
	}
	if r.Status == verdict.Failed {
		env.warn("%s: the scan failed: %s", name, printout.Clean(r.Error))
		return exit{exitFailed}
	}
	return nil
}

// known tells why nothing at or above the threshold was found where that is no
// proof.
func known(env Env, name string, threshold verdict.Severity, unrated int, r verdict.Report) error {
	var why string
	switch {
	case r.Database.Version == "":
		why = "there was no advisory database"
	case r.Status != verdict.Completed:
		why = "the image is " + printout.Status(r.Status)
	case !r.Completeness.Complete:
		why = "the report is not complete"
	case unrated > 0:
		why = fmt.Sprintf("%d findings have no severity", unrated)
	default:
		return nil
	}
	env.warn("%s: no finding is known to be %s or worse, but it is not known that there is none: %s", name, threshold, why)
	return exit{exitUnknown}
}
