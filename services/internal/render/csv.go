package render

import (
	"encoding/csv"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// writeCSV writes a row per finding, and one more per thing that was not looked
// at, with nothing but that in its last column.
func writeCSV(w io.Writer, r verdict.Report) error {
	packages := index(r.Packages)
	rows := [][]string{{"id", "severity", "package", "version", "fixedVersion", "purl", "layer", "location", "aliases", "incomplete"}}
	for _, f := range r.Findings {
		p := packages.of(f)
		rows = append(rows, []string{
			f.ID, string(f.Severity), p.Name, p.Version, f.FixedVersion, f.Package,
			f.Layer.Digest, p.Location, strings.Join(f.Aliases, " "), "",
		})
	}
	for _, note := range gaps(r) {
		row := make([]string, len(rows[0]))
		row[len(row)-1] = gapText(note)
		rows = append(rows, row)
	}
	for _, row := range rows {
		for i := range row {
			row[i] = harmless(row[i])
		}
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// harmless keeps a spreadsheet from taking a cell for a formula: names and
// versions come from the image.
func harmless(cell string) string {
	// The last ones are the wide forms, which some programs take for the others.
	const formula = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(cell, " "))
	if cell != "" && strings.ContainsRune(formula, first) {
		return "'" + cell
	}
	return cell
}
