package worker

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// child is an entry of an index.
type child struct {
	img         v1.Image
	platform    v1.Platform
	annotations map[string]string
}

func index(children ...child) v1.ImageIndex {
	adds := make([]mutate.IndexAddendum, 0, len(children))
	for _, c := range children {
		adds = append(adds, mutate.IndexAddendum{
			Add: c.img, Descriptor: v1.Descriptor{Platform: &c.platform, Annotations: c.annotations},
		})
	}
	return mutate.AppendManifests(empty.Index, adds...)
}

// multi is an index as BuildKit pushes them: two platforms and what is no
// image.
func multi(t *testing.T) (idx v1.ImageIndex, amd, arm, attestation v1.Image) {
	t.Helper()
	amd = image(t, zlib(t, "1:1.2.13-1"))
	arm = of(t, image(t, zlib(t, "1:1.2.11-1")), "linux", "arm64")
	attestation = of(t, image(t, raw([]byte(`{"_type":"https://in-toto.io/Statement/v0.1"}`), "application/vnd.in-toto+json")), "unknown", "unknown")
	stray := of(t, image(t, files(t, map[string]string{"a": "b"})), "unknown", "unknown")
	return index(
		child{amd, v1.Platform{OS: "linux", Architecture: "amd64"}, nil},
		child{arm, v1.Platform{OS: "linux", Architecture: "arm64"}, nil},
		child{attestation, v1.Platform{OS: "unknown", Architecture: "unknown"}, map[string]string{"vnd.docker.reference.type": "attestation-manifest"}},
		child{stray, v1.Platform{OS: "unknown", Architecture: "unknown"}, nil},
	), amd, arm, attestation
}

func TestIndexLeadsToItsPlatforms(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	idx, amd, arm, attestation := multi(t)
	d := r.registry.pushIndex("team/app:1.0", idx)
	// The children come first, by digest, as they are pushed.
	for _, img := range []v1.Image{amd, arm, attestation} {
		r.pushed("team/app", "", digestOf(t, img))
	}
	r.pushed("team/app", "1.0", d)
	for _, img := range []v1.Image{amd, arm} {
		job := r.jobEnds(digestOf(t, img), state.JobDone)
		if job.Generation != 1 {
			t.Errorf("generation %d", job.Generation)
		}
	}
	r.idle()
	r.noJob(d)
	r.noJob(digestOf(t, attestation))
	if n := len(r.told(events.ScanStarted)); n != 2 {
		t.Errorf("%d scans were started", n)
	}
	for _, img := range []interface{ Digest() (v1.Hash, error) }{idx, amd, arm} {
		place, err := r.place("team/app", digestOf(t, img))
		if _, tagged := place.Tags["1.0"]; err != nil || !tagged {
			t.Errorf("place %+v, %v", place, err)
		}
	}
}

// An index need not say what its images run on. Their configurations do.
func TestIndexWithoutPlatforms(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "arm", Registry: registryName, Platforms: []string{"linux/arm64"}})
	r.work(nil)
	_, amd, arm, attestation := multi(t)
	idx := index(child{amd, v1.Platform{}, nil}, child{arm, v1.Platform{}, nil}, child{attestation, v1.Platform{}, nil})
	r.pushed("team/app", "1.0", r.registry.pushIndex("team/app:1.0", idx))
	r.jobEnds(digestOf(t, arm), state.JobDone)
	r.idle()
	r.noJob(digestOf(t, amd))
	if place, err := r.place("team/app", digestOf(t, arm)); err != nil || place.Platform.Architecture != "arm64" {
		t.Errorf("place %+v, %v", place, err)
	}
}

func TestRuleChoosesPlatforms(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "arm", Registry: registryName, Platforms: []string{"linux/arm64"}})
	r.work(nil)
	idx, amd, arm, _ := multi(t)
	r.pushed("team/app", "1.0", r.registry.pushIndex("team/app:1.0", idx))
	r.jobEnds(digestOf(t, arm), state.JobDone)
	r.pushed("team/app", "", digestOf(t, amd))
	r.idle()
	r.noJob(digestOf(t, amd))
	if place, err := r.place("team/app", digestOf(t, amd)); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("an image of another platform has the place %+v", place)
	}
}

func TestTagRuleWaitsForTheIndex(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "releases", Registry: registryName, Tags: []string{"v*"}})
	r.work(nil)
	idx, amd, arm, _ := multi(t)
	d := r.registry.pushIndex("team/app:v1", idx)
	r.pushed("team/app", "", digestOf(t, amd))
	r.pushed("team/app", "latest", d)
	r.idle()
	r.noJob(digestOf(t, amd))
	r.pushed("team/app", "v1", d)
	r.jobEnds(digestOf(t, amd), state.JobDone)
	r.jobEnds(digestOf(t, arm), state.JobDone)
}

// manifest puts a manifest of any form into the registry.
func (f *fakeRegistry) manifest(repository, tag, mediaType string, body []byte) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPut,
		fmt.Sprintf("http://%s/v2/%s/manifests/%s", f.host, repository, tag), strings.NewReader(string(body)))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	res, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode >= http.StatusBadRequest {
		f.t.Fatalf("put manifest: %s, %v", res.Status, err)
	}
}

func TestWhatIsNoImageBecomesNoJob(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	base := r.scanned("team/app", "1.0", image(t, zlib(t, "1:1.2.13-1")))
	blob := raw([]byte("chart"), "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
	chart := mutate.ConfigMediaType(image(t, blob), "application/vnd.cncf.helm.config.v1+json")
	signature := image(t, raw([]byte(`{"critical":{}}`), "application/vnd.dev.cosign.simplesigning.v1+json"))
	referrer, ok := mutate.Subject(image(t, raw([]byte(`{}`), "application/spdx+json")), v1.Descriptor{
		MediaType: types.OCIManifestSchema1, Digest: hashOf(t, string(base)), Size: 1,
	}).(v1.Image)
	if !ok {
		t.Fatal("a subject makes an image something else")
	}
	none := map[string]v1.Image{
		"chart": chart, "signature": signature, "sbom": referrer,
		strings.Replace(string(base), ":", "-", 1) + ".sig": image(t, files(t, map[string]string{"looks": "like an image"})),
	}
	for tag, img := range none {
		r.pushed("team/other", tag, r.push("team/other:"+tag, img))
	}
	// What cannot be read at all is kept with the reason.
	r.registry.manifest("team/bad", "garbage", string(types.OCIManifestSchema1), []byte(`{"layers": 7}`))
	r.registry.manifest("team/bad", "schema1", string(types.DockerManifestSchema1), []byte(`{"schemaVersion":1,"name":"team/bad","fsLayers":[]}`))
	r.pushed("team/bad", "garbage", "")
	r.pushed("team/bad", "schema1", "")
	r.idle()
	for tag, img := range none {
		r.noJob(digestOf(t, img))
		if place, err := r.place("team/other", digestOf(t, img)); err == nil {
			t.Errorf("%s has the place %+v", tag, place)
		}
	}
	dead := r.dead()
	if len(dead) != 1 || !strings.Contains(dead[0], "manifest") {
		t.Errorf("got dead letters %q, want the garbage's", dead)
	}
	// A user is told why.
	for tag, why := range map[string]string{"schema1": "schema 1", "garbage": "manifest: invalid"} {
		req := r.request(events.ImageRequested{Registry: registryName, Repository: "team/bad", Tag: tag})
		if req.State != state.RequestFailed || !strings.Contains(req.Error, why) {
			t.Errorf("request became %+v", req)
		}
	}
	r.scanned("team/app", "2.0", image(t, zlib(t, "1:1.3-1"))) // and the queue goes on
}

func hashOf(t *testing.T, s string) v1.Hash {
	t.Helper()
	h, err := v1.NewHash(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// dead returns the reasons of the dead letters.
func (r *rig) dead() []string {
	r.t.Helper()
	stream, err := r.bus.JetStream().Stream(r.t.Context(), r.bus.Topology().Stream(events.Dead))
	if err != nil {
		r.t.Fatal(err)
	}
	var reasons []string
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(r.t.Context(), seq)
		if err != nil {
			r.t.Fatal(err)
		}
		reasons = append(reasons, m.Header.Get("Landwaiter-Dead-Reason"))
	}
	return reasons
}
