package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/landwaiter/landwaiter/test/harness"
)

// packages bring libraries into the image that advisories name.
var packages = []string{"curl", "libexpat1"}

func TestPushBecomesReport(t *testing.T) {
	in := install(t, options{redis: true})
	debian := harness.Debian(t, packages...)
	image := debian.Image(t)
	digest := in.registry.Push(t, "team/app:1.0", image).String()
	r := in.reported(digest, 6)

	sameFindings(t, r, debian.Vulnerable(t, advisoriesDir(t)))
	samePackages(t, r, debian.Packages(t))
	for _, f := range r.Findings {
		if f.Layer.CreatedBy != "debootstrap --variant=minbase bookworm" {
			t.Errorf("finding %s in %s comes from layer %+v", f.ID, f.Package, f.Layer)
		}
	}
	listing := in.command("images")
	if listing.Code != 0 || !strings.Contains(listing.Stdout, "team/app") {
		t.Errorf("landwaiter images: code %d\n%s%s", listing.Code, listing.Stdout, listing.Stderr)
	}
	table := in.command("report", in.registry.Host+"/team/app:1.0")
	for _, want := range []string{"CVE-", "libexpat1", "2.5.0-1+deb12u"} {
		if !strings.Contains(table.Stdout, want) {
			t.Errorf("landwaiter report: code %d, no %q in\n%s%s", table.Code, want, table.Stdout, table.Stderr)
		}
	}

	t.Run("second image on the same base reads only its own layer", func(t *testing.T) {
		second := harness.Append(t, image, harness.Files(t, map[string]string{"app/VERSION": "2"}), "COPY VERSION /app/")
		before := len(in.blobReads(t))
		in.reported(in.registry.Push(t, "team/app:2.0", second).String(), 6)
		own := top(t, second)
		for _, path := range in.blobReads(t)[before:] {
			if strings.HasSuffix(path, layer(t, image, 0)) {
				t.Errorf("the base was read again: %s", path)
			}
		}
		if !slices.ContainsFunc(in.blobReads(t)[before:], func(p string) bool { return strings.HasSuffix(p, own) }) {
			t.Errorf("the new layer %s was not read: %v", own, in.blobReads(t)[before:])
		}
	})

	t.Run("the same image again scans nothing, ten requesters make one scan", func(t *testing.T) {
		before := len(in.blobReads(t))
		in.registry.Push(t, "team/app:again", image)
		harness.WaitFor(t, soon, "the new tag", func(ctx context.Context) error {
			list, err := in.images(ctx)
			if err != nil {
				return err
			}
			for _, img := range list {
				if img.Digest == digest && slices.Contains(img.Tags, "again") {
					return nil
				}
			}
			return fmt.Errorf("images: %+v", list)
		}, in.up)
		third := harness.Append(t, image, harness.Files(t, map[string]string{"app/VERSION": "3"}), "COPY VERSION /app/")
		in.tenRequesters(t, third)
		reads := in.blobReads(t)[before:]
		count := 0
		for _, path := range reads {
			if strings.HasSuffix(path, top(t, third)) {
				count++
			}
		}
		if count != 1 {
			t.Errorf("the third image's layer was read %d times: %v", count, reads)
		}
		// Three images on one base of 60 MB: it was read once.
		if bytes, scans := in.saved(t); bytes < 2*50<<20 || scans < 1 {
			t.Errorf("the ledger tells of %d bytes and %d scans saved", bytes, scans)
		}
	})
}

// saved is what the ledger says was saved.
func (in *installation) saved(t *testing.T) (bytes, scans int64) {
	t.Helper()
	var answer struct {
		Ledger []struct{ BytesSaved, ScansSaved int64 }
	}
	if err := in.get(t.Context(), "/api/v1/ledger", &answer); err != nil || len(answer.Ledger) != 1 {
		t.Fatalf("ledger: %+v, error %v", answer, err)
	}
	return answer.Ledger[0].BytesSaved, answer.Ledger[0].ScansSaved
}

// tenRequesters pushes the image under five tags and asks for it five times,
// all at once.
func (in *installation) tenRequesters(t *testing.T, image v1.Image) {
	t.Helper()
	digest := in.registry.Push(t, "team/third:0", image).String()
	var all sync.WaitGroup
	errs := make(chan error, 5)
	for i := range 5 {
		all.Go(func() { in.registry.Push(t, fmt.Sprintf("team/third:%d", i+1), image) })
		all.Go(func() {
			errs <- in.call(t.Context(), "POST", "/api/v1/scans", map[string]any{"image": in.registry.Host + "/team/third:0"}, nil)
		})
	}
	all.Wait()
	for range 5 {
		if err := <-errs; err != nil {
			t.Errorf("request a scan: %v", err)
		}
	}
	in.reported(digest, 6)
}

// blobReads lists the paths of the blobs that were read, and not by the pushes.
func (in *installation) blobReads(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, r := range in.registry.Requests(t) {
		if r.Method == http.MethodGet && r.Blob() && r.Status < 300 && strings.HasPrefix(r.Agent, "landwaiter") {
			paths = append(paths, r.Path)
		}
	}
	return paths
}

func top(t *testing.T, image v1.Image) string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	return layer(t, image, len(layers)-1)
}

func layer(t *testing.T, image v1.Image, i int) string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	h, err := layers[i].Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// sameFindings compares the report with what dpkg and the advisories say: the
// same flaws in the same packages with the same fixes, no more and no less.
func sameFindings(t *testing.T, r report, truth []harness.Vulnerable) {
	t.Helper()
	if len(truth) == 0 {
		t.Fatal("nothing in the image has a known flaw: the test proves nothing")
	}
	name := map[string]string{}
	for _, p := range r.Packages {
		name[p.PURL] = p.Name
	}
	got, want := map[string]bool{}, map[string]bool{}
	for _, f := range r.Findings {
		got[name[f.Package]+" "+f.ID+" "+f.FixedVersion] = true
	}
	for _, v := range truth {
		ids := v.CVEs
		if len(ids) == 0 {
			ids = []string{v.ID}
		}
		for _, id := range ids {
			want[v.Package.Name+" "+id+" "+v.Fixed] = true
		}
	}
	difference(t, "finding", got, want)
}

func samePackages(t *testing.T, r report, truth []harness.DebianPackage) {
	t.Helper()
	got, want := map[string]bool{}, map[string]bool{}
	for _, p := range r.Packages {
		if strings.HasPrefix(p.PURL, "pkg:deb/") {
			got[p.Name+" "+p.Version+" "+p.Source.Name+" "+p.Source.Version] = true
		}
	}
	for _, p := range truth {
		want[p.Name+" "+p.Version+" "+p.Source+" "+p.SourceVersion] = true
	}
	difference(t, "package", got, want)
}

func difference(t *testing.T, what string, got, want map[string]bool) {
	t.Helper()
	for k := range want {
		if !got[k] {
			t.Errorf("missing %s: %s", what, k)
		}
	}
	for k := range got {
		if !want[k] {
			t.Errorf("%s that is not there: %s", what, k)
		}
	}
}
