package landwaiter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/internal/render"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/printout"
)

// The forms of output.
const (
	asTable = "table"
	asJSON  = "json"
)

func outputFlag(cmd *cobra.Command, forms ...string) *string {
	return cmd.Flags().StringP("output", "o", asTable, "form of the output: "+strings.Join(forms, ", "))
}

func checkOutput(form string, forms ...string) error {
	if slices.Contains(forms, form) {
		return nil
	}
	return fmt.Errorf("there is no output %q: ask for one of %s", form, strings.Join(forms, ", "))
}

// reportForms are the forms of reports.
func reportForms() []string {
	forms := []string{asTable, asJSON}
	for _, f := range render.Forms() {
		forms = append(forms, string(f))
	}
	return forms
}

// writeReports writes reports as tables, or as JSON: one as itself, several as
// a list. The other forms are of one report.
func writeReports(w io.Writer, form string, reports []verdict.Report) error {
	if f := render.Form(form); f.Known() {
		if len(reports) != 1 {
			return fmt.Errorf("the output %s is of one report, not of %d", form, len(reports))
		}
		return render.Write(w, f, reports[0])
	}
	if form == asJSON {
		if len(reports) == 1 {
			return writeJSON(w, reports[0])
		}
		return writeJSON(w, reports)
	}
	for i, r := range reports {
		if i > 0 {
			if _, err := io.WriteString(w, "\n\n"); err != nil {
				return err
			}
		}
		if err := printout.Report(w, r); err != nil {
			return err
		}
	}
	return nil
}

// writeJSON writes a value indented.
func writeJSON(w io.Writer, value any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
