package printout

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// Report writes one report: what it is about, what was not seen, what was
// found.
func Report(w io.Writer, r verdict.Report) error {
	var b strings.Builder
	heading(&b, r)
	notes(&b, r)
	conclusion(&b, r)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	if len(r.Findings) == 0 {
		return nil
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return findings(r).Write(w)
}

func heading(b *strings.Builder, r verdict.Report) {
	fmt.Fprintf(b, "%s  %s\n", Clean(Name(r.Image)), Clean(r.Image.Platform.String()))
	fmt.Fprintf(b, "%s\n", Clean(r.Image.Digest))
	os := r.OS.Name
	if os == "" {
		os = "no known distribution"
	}
	fmt.Fprintf(b, "%s, %s, %s\n", Clean(os), counted(len(r.Packages), "package"), counted(len(r.Layers), "layer"))
	switch {
	case r.ScannedAt.IsZero():
		b.WriteString("not scanned yet\n")
	case r.Database.Version == "":
		fmt.Fprintf(b, "scanned %s, compared with nothing\n", day(r.ScannedAt))
	default:
		fmt.Fprintf(b, "scanned %s, compared %s with advisories up to %s (%s)\n",
			day(r.ScannedAt), day(r.MatchedAt), day(r.Database.UpdatedAt), Short(r.Database.Version))
	}
	if r.Error != "" {
		fmt.Fprintf(b, "\nTHE NEWEST SCAN FAILED: %s\n", Clean(r.Error))
	}
}

// notes go before the findings: they say how far those can be trusted.
func notes(b *strings.Builder, r verdict.Report) {
	if !incomplete(r) {
		return
	}
	const most = 20
	b.WriteString("\nNOT COMPLETE: there may be more than is listed\n")
	for i, n := range r.Completeness.Notes {
		if i == most {
			fmt.Fprintf(b, "  … and %d more\n", len(r.Completeness.Notes)-most)
			break
		}
		fmt.Fprintf(b, "  %s: %s", Clean(n.Code), Clean(n.Message))
		if n.Layer != "" {
			fmt.Fprintf(b, " (layer %s)", Short(n.Layer))
		}
		b.WriteByte('\n')
	}
}

// incomplete is a report that does not know all it should.
func incomplete(r verdict.Report) bool {
	return !r.Completeness.Complete || r.Status != verdict.Completed
}

func conclusion(b *strings.Builder, r verdict.Report) {
	b.WriteByte('\n')
	switch {
	case len(r.Findings) > 0:
		fmt.Fprintf(b, "%s: %s; %d can be fixed\n", counted(len(r.Findings), "finding"), Counts(r.Summary), r.Summary.Fixable)
	case r.Database.Version == "":
		b.WriteString("Whether it is vulnerable is not known.\n")
	case incomplete(r):
		b.WriteString("Nothing found, but not everything is known: see above.\n")
	default:
		fmt.Fprintf(b, "No known vulnerability in %s.\n", counted(len(r.Packages), "package"))
	}
}

// Counts is a summary in words, without what is 0.
func Counts(s verdict.Summary) string {
	var parts []string
	for _, c := range []struct {
		n    int
		what verdict.Severity
	}{
		{s.Critical, verdict.Critical},
		{s.High, verdict.High},
		{s.Medium, verdict.Medium},
		{s.Low, verdict.Low},
		{s.Negligible, verdict.Negligible},
		{s.Unknown, "unrated"},
	} {
		if c.n > 0 {
			parts = append(parts, strconv.Itoa(c.n)+" "+string(c.what))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func findings(r verdict.Report) *Table {
	packages := make(map[string]verdict.Package, len(r.Packages))
	for _, p := range r.Packages {
		packages[p.PURL] = p
	}
	list := slices.Clone(r.Findings)
	slices.SortStableFunc(list, func(a, b verdict.Finding) int {
		return cmp.Or(cmp.Compare(Rank(a.Severity), Rank(b.Severity)),
			cmp.Compare(packages[a.Package].Name, packages[b.Package].Name), cmp.Compare(a.ID, b.ID))
	})
	t := &Table{}
	t.Row("SEVERITY", "VULNERABILITY", "PACKAGE", "INSTALLED", "FIXED IN", "LAYER")
	for _, f := range list {
		p, known := packages[f.Package]
		if !known {
			p.Name = f.Package
		}
		fixed := f.FixedVersion
		if fixed == "" {
			fixed = "-"
		}
		severity := string(f.Severity)
		if f.Severity == verdict.Unknown {
			severity = "unrated"
		}
		if f.KEV {
			severity += "!" // known to be exploited
		}
		t.Row(severity, f.ID, p.Name, p.Version, fixed, layer(f.Layer))
	}
	return t
}

// Rank is 0 for the worst severity; what nobody rated comes last.
func Rank(s verdict.Severity) int {
	order := []verdict.Severity{verdict.Critical, verdict.High, verdict.Medium, verdict.Low, verdict.Negligible}
	if i := slices.Index(order, s); i >= 0 {
		return i
	}
	return len(order)
}

func layer(l verdict.LayerRef) string {
	s := strconv.Itoa(l.Index)
	if l.CreatedBy != "" {
		const room = 50
		by := strings.Join(strings.Fields(l.CreatedBy), " ")
		if len([]rune(by)) > room {
			by = string([]rune(by)[:room]) + "…"
		}
		return s + " " + by
	}
	return s + " " + Short(l.Digest)
}

// Name is the image's reference, or what there is of one.
func Name(i verdict.Image) string {
	name := i.Repository
	if i.Host != "" {
		name = i.Host + "/" + name
	}
	if len(i.Tags) > 0 {
		name += ":" + strings.Join(i.Tags, ",")
	}
	if name == "" {
		return i.Digest
	}
	return name
}

// Short cuts a digest to what tells it apart from others.
func Short(digest string) string {
	const most = 19 // sha256: and twelve digits
	return Clean(digest[:min(len(digest), most)])
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
