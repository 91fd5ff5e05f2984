package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/landwaiter/landwaiter/test/harness"
)

// The records of a distribution with advisories, and of one nobody knows.
const (
	bookworm   = "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
	nobodys    = "ID=nobodys\nVERSION_ID=\"1\"\nPRETTY_NAME=\"Nobody's Linux 1\"\n"
	dpkgStatus = `Package: libexpat1
Status: install ok installed
Architecture: amd64
Source: expat
Version: 2.5.0-1
Description: XML parsing C library

Package: curl
Status: install ok installed
Architecture: amd64
Version: 7.88.1-10
Description: command line tool

`
)

func TestConsole(t *testing.T) {
	in := install(t, options{})
	b := openBrowser(t)
	in.logIn(b)
	if text := b.text(); !strings.Contains(text, "No images yet") {
		t.Fatalf("the empty page says\n%s", text)
	}
	// A page that is loaded again forgets this.
	ask(b, chromedp.Evaluate[bool](`window.stayed = true`))
	digest := in.registry.Push(t, "team/shop:1.0", tiny(t, bookworm)).String()
	b.shows("the new image's row", func() error { return row(b, "team/shop", "1.0", "completed") })
	if !ask(b, chromedp.Evaluate[bool](`window.stayed === true`)) {
		t.Error("the page was loaded again")
	}
	b.picture("images")

	var r detailed
	if err := in.get(t.Context(), "/api/v1/reports/"+digest, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) == 0 || len(r.Packages) != 2 || !r.Completeness.Complete {
		t.Fatalf("the test proves nothing with the report %+v", r)
	}
	b.do(chromedp.Click(chromedp.CSS(`#main tbody a`)), chromedp.WaitVisible(chromedp.CSS(`.tabs`)))
	t.Run("findings", func(t *testing.T) { sameRows(t, b, r.findingRows()) })
	b.picture("findings")
	b.openTab("Packages")
	t.Run("packages", func(t *testing.T) { sameRows(t, b, r.packageRows()) })
	b.picture("packages")
	b.openTab("Layers")
	t.Run("layers", func(t *testing.T) { sameRows(t, b, r.layerRows()) })
	b.picture("layers")
	t.Run("registry", func(t *testing.T) { in.webhookIsTold(t, b) })
	t.Run("unknown is not clean", func(t *testing.T) { in.unknownIsNotClean(t, b) })
}

// logIn opens the console as somebody who has the token.
func (in *installation) logIn(b *browser) {
	b.Helper()
	b.do(chromedp.Navigate(in.console+"/"), chromedp.WaitVisible(chromedp.CSS(`#token`)))
	b.picture("login")
	b.do(chromedp.SendKeys(chromedp.CSS(`#token`), token+"\n"), chromedp.WaitVisible(chromedp.CSS(`#live:not([hidden])`)))
}

// webhookIsTold looks for what is to be entered at the registry, and copies it.
func (in *installation) webhookIsTold(t *testing.T, b *browser) {
	t.Helper()
	b.do(chromedp.Navigate(in.console+"/registries"), chromedp.WaitVisible(chromedp.CSS(`#main tbody a`)))
	// The one image came by a webhook, and nothing had to be found.
	if err := row(b, "100 %", "1 of 1"); err != nil {
		t.Error(err)
	}
	b.picture("registries")
	b.do(chromedp.Click(chromedp.CSS(`#main tbody a`)), chromedp.WaitVisible(chromedp.CSS(`#lines`)))
	text := b.text()
	if !strings.Contains(text, "notifications:") || !strings.Contains(text, "/hooks/") {
		t.Errorf("the page says\n%s", text)
	}
	b.do(chromedp.Click(chromedp.CSS(`button[data-copy="lines"]`)))
	b.shows("that the lines were copied", func() error {
		if text := b.text(); !strings.Contains(text, "Copied") && !strings.Contains(text, "Selected") {
			return fmt.Errorf("the page says\n%s", text)
		}
		return nil
	})
	b.picture("registry")
}

// unknownIsNotClean looks at an image in which nothing is found because no
// advisories are kept for its distribution.
func (in *installation) unknownIsNotClean(t *testing.T, b *browser) {
	t.Helper()
	digest := in.registry.Push(t, "team/unknown:1", tiny(t, nobodys)).String()
	r := in.reported(digest, 6)
	if r.Completeness.Complete || len(r.Findings) > 0 {
		t.Fatalf("the test proves nothing with the report %+v", r)
	}
	b.do(chromedp.Navigate(in.console + "/"))
	b.shows("the row that says incomplete", func() error { return row(b, "team/unknown", "none known", "incomplete") })
	b.picture("incomplete-images")
	b.do(chromedp.Navigate(in.console+"/images/"+digest), chromedp.WaitVisible(chromedp.CSS(`.tabs`)))
	text := b.text()
	for _, note := range r.Completeness.Notes {
		if !strings.Contains(text, note.Message) || !strings.Contains(text, note.Code) {
			t.Errorf("the page does not say %q", note.Message)
		}
	}
	clean := ask(b, chromedp.Evaluate[bool](`document.querySelector(".note.good") !== null`))
	if clean || !strings.Contains(text, "Not everything was looked at") {
		t.Errorf("the page takes unknown for clean:\n%s", text)
	}
	b.picture("incomplete")
}

func (b *browser) openTab(name string) {
	b.Helper()
	b.do(chromedp.Click(chromedp.Search(`//nav[@class="tabs"]/a[contains(., "`+name+`")]`)),
		chromedp.WaitVisible(chromedp.Search(`//nav[@class="tabs"]/a[@aria-current and contains(., "`+name+`")]`)))
}

// row is nil when one row of the table has all the words.
func row(b *browser, words ...string) error {
	b.Helper()
	rows := b.rows()
	for _, cells := range rows {
		line := strings.Join(cells, " ")
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return nil
		}
	}
	return fmt.Errorf("no row has %q: %q", words, rows)
}

// tiny is an image of nothing but a distribution's name and its packages.
func tiny(t *testing.T, release string) v1.Image {
	t.Helper()
	base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		t.Fatal(err)
	}
	image := harness.Append(t, base, harness.Files(t, map[string]string{
		"etc/os-release": release, "var/lib/dpkg/status": dpkgStatus,
	}), "ADD rootfs.tar /")
	return harness.Append(t, image, harness.Files(t, map[string]string{"app/main": release}), "COPY main /app/")
}

// detailed is what the console shows of a report.
type detailed struct {
	report
	Layers []struct {
		Index             int
		Digest, CreatedBy string
	}
}

// The rows of the tabs, each as the words it must have.
func (r detailed) findingRows() (rows [][]string) {
	name, version := map[string]string{}, map[string]string{}
	for _, p := range r.Packages {
		name[p.PURL], version[p.PURL] = p.Name, p.Version
	}
	for _, f := range r.Findings {
		fixed := f.FixedVersion
		if fixed == "" {
			fixed = "no fix known"
		}
		rows = append(rows, []string{f.ID, f.Severity, name[f.Package], version[f.Package], fixed, "#" + strconv.Itoa(f.Layer.Index)})
	}
	return rows
}

func (r detailed) packageRows() (rows [][]string) {
	for _, p := range r.Packages {
		rows = append(rows, []string{p.Name, p.Version, "Debian:12", p.Source.Name, "dpkg", "#" + strconv.Itoa(p.Layer.Index)})
	}
	return rows
}

func (r detailed) layerRows() (rows [][]string) {
	for _, l := range r.Layers {
		packages, findings := 0, 0
		for _, p := range r.Packages {
			if p.Layer.Index == l.Index {
				packages++
			}
		}
		for _, f := range r.Findings {
			if f.Layer.Index == l.Index {
				findings++
			}
		}
		rows = append(rows, []string{strconv.Itoa(l.Index), l.CreatedBy, "B", strconv.Itoa(packages), strconv.Itoa(findings)})
	}
	return rows
}

// sameRows compares the table with the rows wanted, each cell by the words it
// begins or ends with, in any order of rows.
func sameRows(t *testing.T, b *browser, want [][]string) {
	t.Helper()
	got := b.rows()
	if len(got) != len(want) {
		t.Errorf("%d rows, want %d: %q", len(got), len(want), got)
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(cells []string) bool { return fits(cells, w) }) {
			t.Errorf("no row fits %q: %q", w, got[:min(len(got), 3)])
		}
	}
}

func fits(cells, want []string) bool {
	return len(cells) == len(want) && !slices.ContainsFunc(want, func(w string) bool {
		i := slices.Index(want, w)
		return !strings.Contains(cells[i], w)
	})
}
