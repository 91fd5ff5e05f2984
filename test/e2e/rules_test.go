package e2e

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/landwaiter/landwaiter/test/harness"
)

var updateRules = flag.Bool("update-rules", false, "write testdata/rules/*.golden anew")

// TestRules sweeps two registries that hold the same, Debian's and
// go-containerregistry's, by the rules of testdata/rules. The name of a file
// begins with the row of the feature table that it proves; its golden says what
// the rule's sweep found, newest first, how it was dated, and why the rest was
// left out.
func TestRules(t *testing.T) {
	harness.EndToEnd(t)
	if now := time.Now().UTC(); now.Add(10*time.Minute).Day() != now.Day() {
		t.Skip("the day ends before the test does")
	}
	files, err := filepath.Glob("testdata/rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v, want rules", files, err)
	}
	in := ruled(t, files)
	for _, file := range files {
		base := strings.TrimSuffix(filepath.Base(file), ".yaml")
		for _, registry := range []string{"debian", "plain"} {
			t.Run(base+"/"+registry, func(t *testing.T) {
				got := in.found(ruleName(base, registry))
				golden := strings.TrimSuffix(file, ".yaml") + ".golden"
				if *updateRules && registry == "debian" {
					if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func ruleName(base, registry string) string { return strings.ToLower(base) + "-" + registry }

// ruled is an installation of all the rules at two registries.
func ruled(t *testing.T, files []string) *installation {
	t.Helper()
	in := &installation{
		t: t, registry: harness.StartRegistry(t, harness.RegistryOptions{}), data: t.TempDir(),
		env: []string{"LANDWAITER_POOLS=site"},
	}
	plain := httptest.NewServer(registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, 0))))
	t.Cleanup(plain.Close)
	hosts := map[string]string{"debian": in.registry.Host, "plain": strings.TrimPrefix(plain.URL, "http://")}
	for _, host := range hosts {
		stock(t, host)
	}
	var doc strings.Builder
	doc.WriteString("registries:\n")
	for name, host := range hosts {
		fmt.Fprintf(&doc, "  - {name: %s, type: oci, address: \"http://%s\"}\n", name, host)
	}
	doc.WriteString("rules:\n")
	for _, file := range files {
		rule, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name := range hosts {
			fmt.Fprintf(&doc, "  - name: %s\n    registry: %s\n", ruleName(strings.TrimSuffix(filepath.Base(file), ".yaml"), name), name)
			for line := range strings.Lines(string(rule)) {
				doc.WriteString("    " + line)
			}
		}
	}
	in.config = filepath.Join(t.TempDir(), "landwaiter.yaml")
	in.write(doc.String())
	in.console, in.hooks = "http://"+free(t), "http://"+free(t)
	in.start()
	return in
}

// ruleSweep is what the API says of a sweep.
type ruleSweep struct {
	ID, Rule, State string
	Counts          struct{ Images, Finished, Failed int }
	Partial         bool
	Dates, LeftOut  map[string]int
	Errors          []string
}

// dated is what the API says of an image at its one place.
type dated struct {
	Digest   string
	Platform struct{ OS, Architecture string }
	Status   int
	Places   []datedPlace
}

type datedPlace struct {
	Registry, Repository, DateSource string
	Tags, Rules                      []string
	Date                             time.Time
}

// found waits for the rule's first sweep to end and tells what it found.
func (in *installation) found(rule string) string {
	in.t.Helper()
	var sweep ruleSweep
	harness.WaitFor(in.t, 2*soon, "the sweep of "+rule, func(ctx context.Context) error {
		var answer struct{ Sweeps []ruleSweep }
		if err := in.get(ctx, "/api/v1/sweeps?rule="+rule, &answer); err != nil {
			return err
		}
		if len(answer.Sweeps) == 0 || answer.Sweeps[0].State != "done" {
			return fmt.Errorf("sweeps: %+v", answer.Sweeps)
		}
		sweep = answer.Sweeps[0]
		return nil
	}, in.up)
	var lines []string
	harness.WaitFor(in.t, soon, "the images of "+rule, func(ctx context.Context) error {
		images, err := in.dated(ctx)
		if err != nil {
			return err
		}
		lines = lines[:0]
		for _, i := range images {
			if p := i.Places[0]; slices.Contains(p.Rules, rule) {
				lines = append(lines, shown(i, p))
			}
		}
		if len(lines) != sweep.Counts.Images {
			return fmt.Errorf("%d images are listed, the sweep found %d", len(lines), sweep.Counts.Images)
		}
		return nil
	}, in.up)
	slices.Sort(lines)
	slices.Reverse(lines)
	for _, why := range slices.Sorted(maps.Keys(sweep.LeftOut)) {
		lines = append(lines, fmt.Sprintf("left out: %s %d", why, sweep.LeftOut[why]))
	}
	for _, source := range slices.Sorted(maps.Keys(sweep.Dates)) {
		lines = append(lines, fmt.Sprintf("dated: %s %d", source, sweep.Dates[source]))
	}
	if sweep.Partial || sweep.Counts.Failed > 0 {
		lines = append(lines, fmt.Sprintf("partial %t, failed %d: %q", sweep.Partial, sweep.Counts.Failed, sweep.Errors))
	}
	if len(lines) == 0 {
		return "nothing\n"
	}
	return strings.Join(lines, "\n") + "\n"
}

// shown is an image in a golden. Days that depend on when the test runs are
// left out: their tags tell them.
func shown(i dated, p datedPlace) string {
	day := "-"
	if !p.Date.IsZero() && p.Date.Year() == catalogYear {
		day = p.Date.Format(time.DateOnly)
	}
	return fmt.Sprintf("%-10s %s %s:%s %s/%s", day, p.DateSource, p.Repository, strings.Join(p.Tags, ","), i.Platform.OS, i.Platform.Architecture)
}

// dated lists all images, page by page.
func (in *installation) dated(ctx context.Context) ([]dated, error) {
	var all []dated
	for cursor := ""; ; {
		var page struct {
			Images []dated
			Next   string
		}
		if err := in.get(ctx, "/api/v1/images?cursor="+cursor, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Images...)
		if cursor = page.Next; cursor == "" {
			return all, nil
		}
	}
}

const catalogYear = 2025

// stock fills a registry with what the rules choose from.
func stock(t *testing.T, host string) {
	t.Helper()
	day := func(month time.Month, day int) time.Time {
		return time.Date(catalogYear, month, day, 12, 0, 0, 0, time.UTC)
	}
	midnight := time.Now().UTC().Truncate(24 * time.Hour)
	for ref, made := range map[string]time.Time{
		"library/alpine:3.18": day(1, 1), "library/alpine:3.19": day(2, 1), "library/alpine:3.20": day(3, 1), "library/alpine:latest": day(3, 1),
		"team/app:1.0": day(1, 10), "team/app:1.1": day(1, 20), "team/app:v2.0-rc1": day(2, 5), "team/app:v2.0": day(2, 10),
		"team/api/server:1": day(3, 5), "team/secret:1": day(3, 6),
		"user/tool:epoch": time.Unix(0, 0).UTC(), "user/tool:new": day(4, 1),
		"odd/v1.2:1.2": day(4, 2), "odd/v1.2:1x2": day(4, 3), "odd/v1x2:1.2": day(4, 4),
		"tied/app:a": day(5, 1), "tied/app:b": day(5, 1), "tied/app:c": day(5, 1),
		"aged/app:today": midnight, "aged/app:yesterday": midnight.Add(-time.Second), "aged/app:yesterdays-first": midnight.AddDate(0, 0, -1),
		"aged/app:6-days": time.Now().AddDate(0, 0, -6), "aged/app:20-days": time.Now().AddDate(0, 0, -20),
		"aged/app:100-days": time.Now().AddDate(0, 0, -100), "aged/app:epoch": time.Unix(0, 0),
	} {
		content := ref
		if strings.HasSuffix(ref, ":latest") {
			content = "library/alpine:3.20" // the same image
		}
		put(t, host, ref, single(t, content, "linux", "amd64", made))
	}
	put(t, host, "team/app:sha256-"+strings.Repeat("0", 64)+".sig", single(t, "signature", "linux", "amd64", day(12, 1)))
	put(t, host, "chart/helm:1", mutate.ConfigMediaType(single(t, "chart", "linux", "amd64", day(12, 2)), "application/vnd.cncf.helm.config.v1+json"))
	putIndex(t, host, "multi/web:1", day(6, 1))
}

// single is an image of one file.
func single(t *testing.T, content, os, arch string, made time.Time) v1.Image {
	t.Helper()
	base, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		&v1.ConfigFile{OS: os, Architecture: arch, Created: v1.Time{Time: made}, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		t.Fatal(err)
	}
	return harness.Append(t, base, harness.Files(t, map[string]string{"content": content}), "COPY content /")
}

func put(t *testing.T, host, ref string, image v1.Image) {
	t.Helper()
	if err := remote.Write(refAt(t, host, ref), image, remote.WithContext(t.Context())); err != nil {
		t.Fatalf("push %s: %v", ref, err)
	}
}

// putIndex pushes an image for three platforms with an attestation.
func putIndex(t *testing.T, host, ref string, made time.Time) {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, p := range []v1.Platform{
		{OS: "linux", Architecture: "amd64"},
		{OS: "linux", Architecture: "arm64"},
		{OS: "windows", Architecture: "amd64"},
		{OS: "unknown", Architecture: "unknown"},
	} {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        single(t, ref+p.String(), p.OS, p.Architecture, made.AddDate(0, 0, i)),
			Descriptor: v1.Descriptor{Platform: &p},
		})
	}
	if err := remote.WriteIndex(refAt(t, host, ref), index, remote.WithContext(t.Context())); err != nil {
		t.Fatalf("push %s: %v", ref, err)
	}
}

func refAt(t *testing.T, host, ref string) name.Reference {
	t.Helper()
	r, err := name.ParseReference(host+"/"+ref, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
