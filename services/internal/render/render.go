// Package render writes a report in the forms that other tools read. The same
// report gives the same bytes, and what the report did not look at is said in
// each form: none of them makes unknown look clean.
package render

import (
	"fmt"
	"io"
	"slices"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// Form is a form of reports, by the name users ask for it with.
type Form string

// The forms.
const (
	CSV       Form = "csv"       // a row per finding
	SARIF     Form = "sarif"     // SARIF 2.1.0, a result per finding
	CycloneDX Form = "cyclonedx" // CycloneDX 1.6 in JSON, packages and vulnerabilities
	SPDX      Form = "spdx"      // SPDX 2.3 in JSON, packages and where their advisories are
)

// Forms lists the forms.
func Forms() []Form { return []Form{CSV, SARIF, CycloneDX, SPDX} }

// Known reports whether the form is one of Forms.
func (f Form) Known() bool { return slices.Contains(Forms(), f) }

// ContentType is the form's media type; blank for a form that is not known.
func (f Form) ContentType() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8"
	case SARIF:
		return "application/sarif+json"
	case CycloneDX:
		return "application/vnd.cyclonedx+json"
	case SPDX:
		return "application/spdx+json"
	default:
		return ""
	}
}

// Write writes the report. Nothing is written where the form is not known.
func Write(w io.Writer, f Form, r verdict.Report) error {
	var err error
	switch f {
	case CSV:
		err = writeCSV(w, r)
	case SARIF:
		err = writeSARIF(w, r)
	case CycloneDX:
		err = writeCycloneDX(w, r)
	case SPDX:
		err = writeSPDX(w, r)
	default:
		return fmt.Errorf("there is no form %q of reports", string(f))
	}
	if err != nil {
		return fmt.Errorf("write report as %s: %w", f, err)
	}
	return nil
}
