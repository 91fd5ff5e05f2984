package match

import (
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

// maxAliases bounds the records looked up for a severity.
const maxAliases = 64

// scored is a vector and the record it is from; empty: there is none.
type scored struct {
	cvss advisory.CVSS
	from string
}

// rate sets a finding's severity, from the first of:
//
//   - a malicious package is critical;
//   - what Debian calls unimportant is negligible, whatever its vector: it
//     says that Debian's package has no security impact;
//   - the vector of a matching record about this flaw alone, newest CVSS
//     version first; of a record that has the flaw as alias or upstream; of a
//     matching advisory about several flaws, whose vector is that of the worst;
//   - the distribution's word for this package, or for the record: Debian's
//     urgency, Ubuntu's priority, the first word of AlmaLinux's and Rocky's
//     summaries, the severity GitHub and Bitnami write. RustSec's
//     informational advisories (unmaintained, unsound, notice) are no
//     vulnerabilities in the usual sense: negligible;
//   - the word of an alias.
//
// Otherwise it is unknown. The vector is shown also where it did not decide.
func rate(db *advisory.DB, f *verdict.Finding, group []facet, flaws []advisory.Flaw) error {
	aliases, err := aliasRecords(db, f, group)
	if err != nil {
		return err
	}
	best, found := vector(group, flaws, aliases)
	if found {
		f.CVSS = &verdict.CVSS{Version: best.cvss.Version, Score: best.cvss.Score, Vector: best.cvss.Vector}
	}
	if severity, from, ok := overriding(group); ok {
		f.Severity, f.SeveritySource = severity, from
		return nil
	}
	if found {
		f.Severity, f.SeveritySource = severityOf(best.cvss), best.from+": CVSS "+best.cvss.Version
		return nil
	}
	f.Severity, f.SeveritySource = words(group, flaws, aliases)
	return nil
}

// aliasRecords gives the records of a finding's other ids. What is said of its
// CVEs by any record is in their flaws already.
func aliasRecords(db *advisory.DB, f *verdict.Finding, group []facet) ([]advisory.Record, error) {
	var out []advisory.Record
	for i, id := range f.Aliases {
		if i >= maxAliases {
			break
		}
		if at := slices.IndexFunc(group, func(f facet) bool { return f.hit.record.ID == id }); at >= 0 {
			out = append(out, group[at].hit.record)
			continue
		}
		r, found, err := db.Record(id)
		if err != nil {
			return nil, err
		}
		if found {
			out = append(out, r)
		}
	}
	return out, nil
}

func overriding(group []facet) (severity verdict.Severity, from string, ok bool) {
	for _, f := range group {
		if strings.HasPrefix(f.hit.record.ID, "MAL-") {
			return verdict.Critical, f.hit.record.ID + ": malicious package", true
		}
	}
	for _, f := range group {
		for _, r := range f.hit.ratings {
			if r.Kind == advisory.Urgency && r.Word == "unimportant" {
				return verdict.Negligible, f.hit.record.ID + ": urgency unimportant", true
			}
		}
	}
	return "", "", false
}

func vector(group []facet, flaws []advisory.Flaw, aliases []advisory.Record) (scored, bool) {
	var own, others, worst scored
	for _, f := range group {
		best := &worst
		if f.precise {
			best = &own
		}
		best.offer(f.hit.record.ID, f.hit.cvss)
		best.offer(f.hit.record.ID, f.hit.record.CVSS)
	}
	for _, flaw := range flaws {
		others.offer(flaw.CVSSFrom, flaw.CVSS)
	}
	for _, r := range aliases {
		others.offer(r.ID, r.CVSS)
	}
	for _, best := range []scored{own, others, worst} {
		if best.from != "" {
			return best, true
		}
	}
	return scored{}, false
}

// offer keeps the vector of the newest CVSS version, the first among equals.
func (s *scored) offer(from string, list []advisory.CVSS) {
	for _, c := range list {
		if s.from == "" || c.Version > s.cvss.Version {
			*s = scored{c, from}
		}
	}
}

func words(group []facet, flaws []advisory.Flaw, aliases []advisory.Record) (verdict.Severity, string) {
	for _, f := range group {
		for _, r := range f.hit.ratings {
			if s, ok := severityWord(r); ok {
				return s, source(f.hit.record.ID, r)
			}
		}
		if s, ok := severityWord(f.hit.record.Rating); ok {
			return s, source(f.hit.record.ID, f.hit.record.Rating)
		}
	}
	for _, flaw := range flaws {
		if s, ok := severityWord(flaw.Rating); ok {
			return s, source(flaw.RatingFrom, flaw.Rating)
		}
	}
	for _, r := range aliases {
		// A distribution's word is about its own package; it does not travel.
		if s, ok := severityWord(r.Rating); ok && r.Rating.Kind == advisory.Declared {
			return s, source(r.ID, r.Rating)
		}
	}
	return verdict.Unknown, ""
}

func source(id string, r advisory.Rating) string {
	return id + ": " + string(r.Kind) + " " + r.Word
}

func severityWord(r advisory.Rating) (verdict.Severity, bool) {
	if r.Kind == advisory.Informational {
		return verdict.Negligible, r.Word != ""
	}
	switch r.Word {
	case "critical":
		return verdict.Critical, true
	case "high", "important":
		return verdict.High, true
	case "medium", "moderate":
		return verdict.Medium, true
	case "low":
		return verdict.Low, true
	case "negligible", "unimportant", "none":
		return verdict.Negligible, true
	default:
		return verdict.Unknown, false
	}
}

// severityOf follows the CVSS specification's words; version 2 has no critical.
func severityOf(c advisory.CVSS) verdict.Severity {
	switch {
	case c.Score >= 9 && c.Version != "2.0":
		return verdict.Critical
	case c.Score >= 7:
		return verdict.High
	case c.Score >= 4:
		return verdict.Medium
	case c.Score > 0:
		return verdict.Low
	default:
		return verdict.Negligible
	}
}

func rank(s verdict.Severity) int {
	order := [...]verdict.Severity{
		verdict.Critical, verdict.High, verdict.Medium, verdict.Low, verdict.Negligible, verdict.Unknown,
	}
	for i, o := range order {
		if s == o {
			return i
		}
	}
	return len(order)
}
