package printout

import (
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
)

func TestConclusions(t *testing.T) {
	known := verdict.Report{
		Status: verdict.Completed, Database: verdict.Database{Version: "sha256:1"}, Completeness: verdict.Completeness{Complete: true},
		Packages: make([]verdict.Package, 2),
	}
	for _, tt := range []struct {
		name   string
		change func(*verdict.Report)
		want   string
		never  string
	}{
		{"clean", func(*verdict.Report) {}, "No known vulnerability in 2 packages.", "NOT COMPLETE"},
		{"no database", func(r *verdict.Report) {
			r.Database, r.Status, r.Completeness = verdict.Database{}, verdict.Scanned, verdict.Completeness{
				Notes: []verdict.Note{{Code: verdict.NoteNoDatabase, Message: "nothing was compared"}},
			}
		}, "Whether it is vulnerable is not known.", "No known vulnerability"},
		{"incomplete", func(r *verdict.Report) { r.Completeness.Complete = false }, "not everything is known", "No known vulnerability"},
		{"scanning again", func(r *verdict.Report) { r.Status = verdict.Scanning }, "NOT COMPLETE", "No known vulnerability"},
		{"failed", func(r *verdict.Report) { r.Status, r.Error = verdict.Failed, "layer is corrupt" }, "layer is corrupt", "No known vulnerability"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := known
			tt.change(&r)
			var b strings.Builder
			if err := Report(&b, r); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(b.String(), tt.want) || strings.Contains(b.String(), tt.never) {
				t.Errorf("want %q and not %q:\n%s", tt.want, tt.never, b.String())
			}
		})
	}
}

// What an image says of itself must not reach the terminal as it is.
func TestNothingMovesTheCursor(t *testing.T) {
	const evil = "\x1b[2J\r\nname\u202e"
	r := verdict.Report{
		Image: verdict.Image{Repository: evil, Tags: []string{evil}, Digest: evil}, OS: verdict.OS{Name: evil}, Error: evil,
		Completeness: verdict.Completeness{Notes: []verdict.Note{{Code: evil, Message: evil, Layer: evil}}},
		Packages:     []verdict.Package{{Name: evil, Version: evil, PURL: "p"}},
		Findings:     []verdict.Finding{{ID: evil, Package: "p", FixedVersion: evil, Layer: verdict.LayerRef{CreatedBy: evil}}},
	}
	var b strings.Builder
	if err := Report(&b, r); err != nil {
		t.Fatal(err)
	}
	if err := Images(&b, []client.Image{{Repository: evil, Digest: evil, Host: evil}}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\r\u202e") {
		t.Errorf("%q", b.String())
	}
}

// A finding count that nobody made is not 0.
func TestImagesWithoutVerdict(t *testing.T) {
	var b strings.Builder
	if err := Images(&b, []client.Image{{Repository: "r", Status: verdict.Pending}}); err != nil {
		t.Fatal(err)
	}
	if line := strings.Split(b.String(), "\n")[1]; !strings.Contains(line, "queued") || strings.Count(line, "?") != 5 {
		t.Errorf("%q", line)
	}
}
