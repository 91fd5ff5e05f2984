package render_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/landwaiter/landwaiter/services/internal/render"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

var update = flag.Bool("update", false, "write the goldens")

const (
	openssl = "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12"
	evil    = "pkg:npm/%3Dcmd%7C@1.0.0"
)

// sample has what is hard to write: two packages with one purl, a name that is
// a formula, a flaw in two packages, one that nobody rated.
func sample() verdict.Report {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	base := verdict.LayerRef{Index: 0, Digest: "sha256:" + strings.Repeat("a", 64), CreatedBy: "ADD rootfs.tar /"}
	app := verdict.LayerRef{Index: 1, Digest: "sha256:" + strings.Repeat("b", 64), CreatedBy: "COPY . /app"}
	return verdict.Report{
		Image: verdict.Image{
			Registry: "hub", Host: "registry.test", Repository: "team/Shop", Tags: []string{"1.0", "latest"},
			Digest: "sha256:" + strings.Repeat("c", 64), Platform: verdict.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"},
		},
		OS:     verdict.OS{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12 (bookworm)"},
		Status: verdict.Completed, ScannedAt: at, MatchedAt: at.Add(time.Hour),
		Database: verdict.Database{Version: "sha256:" + strings.Repeat("d", 64), UpdatedAt: at},
		Completeness: verdict.Completeness{Notes: []verdict.Note{
			{Code: verdict.NoteLayerPartial, Message: "a file of 5 GB was not read", Layer: app.Digest},
			{Code: verdict.NoteEcosystemNotCovered, Message: "no advisories for <hex>"},
		}},
		Summary: verdict.Summary{High: 3, Unknown: 1, Total: 4, Fixable: 1},
		Layers:  []verdict.Layer{{Digest: base.Digest, CreatedBy: base.CreatedBy, Size: 30 << 20}, {Index: 1, Digest: app.Digest, CreatedBy: app.CreatedBy, Size: 10}},
		Packages: []verdict.Package{
			{
				Name: "libssl3", Version: "3.0.11-1", Ecosystem: "Debian:12", PURL: openssl, Evidence: "record", Layer: base,
				Source: verdict.Source{Name: "openssl", Version: "3.0.11-1"}, Location: "var/lib/dpkg/status",
			},
			{Name: "=cmd|' /C calc'!A0", Version: "1.0.0", Ecosystem: "npm", PURL: evil, Evidence: "record", Location: "app/a b/package.json", Layer: app},
			{Name: "=cmd|' /C calc'!A0", Version: "1.0.0", Ecosystem: "npm", PURL: evil, Evidence: "record", Location: "app/c/package.json", Layer: app},
		},
		Findings: []verdict.Finding{
			{
				ID: "CVE-2026-0001", Aliases: []string{"GHSA-xxxx-yyyy-zzzz"}, Package: openssl, Severity: verdict.High,
				SeveritySource: "CVE-2026-0001", CVSS: &verdict.CVSS{Version: "3.1", Score: 7.5, Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"},
				FixedVersion: "3.0.11-1+deb12u1", Layer: base, Advisories: []string{"DEBIAN-CVE-2026-0001"}, Summary: "A server can be made to <crash>.",
			},
			{ID: "CVE-2026-0002", Aliases: []string{}, Package: evil, Severity: verdict.Unknown, Layer: app, Advisories: []string{}},
			{ID: "CVE-2026-0001", Aliases: []string{}, Package: evil, Severity: verdict.High, Layer: app, Advisories: []string{}},
			{ID: "CVE-2026-0001", Aliases: []string{}, Package: evil, Severity: verdict.High, Layer: base, Advisories: []string{}},
		},
	}
}

// clean has seen everything and found nothing.
func clean() verdict.Report {
	r := sample()
	r.Completeness, r.Findings, r.Summary = verdict.Completeness{Complete: true, Notes: []verdict.Note{}}, nil, verdict.Summary{}
	r.Packages = r.Packages[:1]
	return r
}

// unseen is of an image that was never scanned.
func unseen() verdict.Report {
	return verdict.Report{
		Image: sample().Image, Status: verdict.Failed, Error: "registry refused",
		Completeness: verdict.Completeness{Notes: []verdict.Note{{Code: "no-report", Message: "the image has no report yet"}}},
	}
}

func written(t *testing.T, f render.Form, r verdict.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := render.Write(&b, f, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestForms(t *testing.T) {
	for name, r := range map[string]verdict.Report{"sample": sample(), "clean": clean(), "unseen": unseen()} {
		for _, f := range render.Forms() {
			t.Run(name+"/"+string(f), func(t *testing.T) {
				got := written(t, f, r)
				if !bytes.Equal(got, written(t, f, r)) {
					t.Error("the same report is written in two ways")
				}
				file := filepath.Join("testdata", name+"."+string(f))
				if *update {
					if err := os.WriteFile(file, got, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(got)); diff != "" {
					t.Errorf("unlike %s (-want +got; -update writes it):\n%s", file, diff)
				}
			})
		}
	}
}

// Whoever reads only one of the forms learns that something was not seen, also
// where the report forgot to say what.
func TestUnknownIsNotCleanInAnyForm(t *testing.T) {
	silent := clean()
	silent.Completeness.Complete = false
	for _, f := range render.Forms() {
		if got := string(written(t, f, clean())); strings.Contains(got, "not everything") || strings.Contains(got, `"incomplete"`) {
			t.Errorf("%s: a complete report is incomplete:\n%s", f, got)
		}
		if got := string(written(t, f, silent)); !strings.Contains(got, "incomplete") || !strings.Contains(got, "not everything was looked at") {
			t.Errorf("%s: an incomplete report does not say so:\n%s", f, got)
		}
		if got := string(written(t, f, unseen())); !strings.Contains(got, "no-report") {
			t.Errorf("%s: a report of nothing does not say so:\n%s", f, got)
		}
	}
}

func TestSARIFIsValid(t *testing.T) {
	for _, r := range []verdict.Report{sample(), clean(), unseen()} {
		report, err := sarif.FromBytes(written(t, render.SARIF, r))
		if err == nil {
			err = report.Validate()
		}
		if err != nil {
			t.Fatal(err)
		}
		run := report.Runs[0]
		if got, want := *run.Invocations[0].ExecutionSuccessful, r.Status == verdict.Completed; got != want {
			t.Errorf("executionSuccessful is %v, want %v", got, want)
		}
		if len(run.Results) != len(r.Findings) || len(run.Invocations[0].ToolExecutionNotifications) != len(r.Completeness.Notes) {
			t.Errorf("%d results, %d notifications", len(run.Results), len(run.Invocations[0].ToolExecutionNotifications))
		}
		for _, result := range run.Results {
			if rule := run.Tool.Driver.Rules[result.RuleIndex]; *rule.ID != *result.RuleID {
				t.Errorf("result of %s points at the rule %s", *result.RuleID, *rule.ID)
			}
		}
	}
}

func TestCycloneDXReferencesLead(t *testing.T) {
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(written(t, render.CycloneDX, sample())), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	refs := map[string]bool{}
	for _, c := range *bom.Components {
		if refs[c.BOMRef] {
			t.Errorf("two components are %s", c.BOMRef)
		}
		refs[c.BOMRef] = true
	}
	affected := 0
	for _, v := range *bom.Vulnerabilities {
		for _, a := range *v.Affects {
			affected++
			if !refs[a.Ref] {
				t.Errorf("%s affects %s, which is no component", v.ID, a.Ref)
			}
		}
	}
	if want := 1 + 2 + 2; affected != want { // the flaws of a package concern all its copies
		t.Errorf("%d components affected, want %d", affected, want)
	}
	if got := (*bom.Compositions)[0].Aggregate; got != cdx.CompositionAggregateIncomplete {
		t.Errorf("composition is %s", got)
	}
}

func TestSPDXReads(t *testing.T) {
	var doc spdx.Document
	if err := json.Unmarshal(written(t, render.SPDX, sample()), &doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, p := range doc.Packages {
		ids[string(p.PackageSPDXIdentifier)] = true
	}
	if len(ids) != 4 || len(doc.Relationships) != 4 {
		t.Errorf("%d identifiers, %d relationships, want the image's and three packages'", len(ids), len(doc.Relationships))
	}
}

func TestCSVHoldsNoFormula(t *testing.T) {
	r := sample()
	for _, name := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1"} {
		r.Packages[0].Name = name
		rows, err := csv.NewReader(bytes.NewReader(written(t, render.CSV, r))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if cell := rows[1][2]; !strings.HasPrefix(cell, "'") {
			t.Errorf("%q is written as %q", name, cell)
		}
	}
}

func TestAccepted(t *testing.T) {
	for header, want := range map[string]render.Form{
		"*/*": render.JSON, "application/json": render.JSON, "text/csv": render.CSV, "text/html, text/csv;q=0.5": render.CSV,
		"application/sarif+json": render.SARIF, "application/spdx+json;q=0.2, application/vnd.cyclonedx+json": render.CycloneDX,
		"text/html,*/*;q=0.1": render.JSON, "application/spdx+json; q=0": "", "image/png": "", ";;": "", "application/json;q=x": "",
	} {
		if got, ok := render.Accepted(header); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v, want %q", header, got, ok, want)
		}
	}
	if err := render.Write(&bytes.Buffer{}, "harbor", sample()); err == nil {
		t.Error("a form that is not there is written")
	}
}
