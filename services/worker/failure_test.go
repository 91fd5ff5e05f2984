package worker

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

func zipped(t *testing.T, content []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(content)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestCorruptLayerFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	broken := zipped(t, bytes.Repeat([]byte("not quite an archive "), 1000))
	broken = broken[:len(broken)/2]
	d := r.push("team/app:1.0", image(t, raw(broken, types.DockerLayer)))
	r.pushed("team/app", "1.0", d)
	job := r.jobEnds(d, state.JobFailed)
	img := r.image(d)
	if img.Status != verdict.Failed || img.Error == "" || img.Error != job.Error || job.Attempts.Errors != 0 {
		t.Errorf("image %d %q, job %+v", img.Status, img.Error, job)
	}
	failed, ok := r.told(events.ScanFailed)[0].Data().(events.ScanEvent)
	if !ok || failed.Error != job.Error || failed.Image.Digest != d || failed.Status != 0 {
		t.Errorf("told %+v", failed)
	}
	r.valid()
	r.scanned("team/app", "2.0", image(t, zlib(t, "1:1.3-1")))
}

func TestWaitingForARegistryCountsNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]int{"busy": http.StatusServiceUnavailable, "broken": http.StatusInternalServerError}
	for name, code := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.work(nil)
			layer := zlib(t, "1:1.2.13-1")
			d := r.push("team/app:1.0", image(t, layer))
			r.registry.failing(status(code, "GET", "/blobs/", string(digestOf(t, layer))))
			r.pushed("team/app", "1.0", d)
			r.waits(d, fmt.Sprintf("status %d", code))
			r.registry.failing(nil)
			if job := r.jobEnds(d, state.JobDone); job.Attempts.Errors != 0 || job.Attempts.Crashes != 0 {
				t.Errorf("attempts were counted: %+v", job.Attempts)
			}
		})
	}
}

// waits wants the job to be queued, not before some time, for a reason.
func (r *rig) waits(d events.Digest, why string) {
	r.t.Helper()
	r.until("the job waits for its registry", func(ctx context.Context) error {
		rec, err := r.state.Jobs.Get(ctx, d.Token())
		if j := rec.Value; err == nil && (j.State != state.JobQueued || j.NotBefore.IsZero() || !strings.Contains(j.Error, why)) {
			err = fmt.Errorf("it is %s: %s", j.State, j.Error)
		}
		return err
	})
}

func TestUnreachableRegistryIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	layer := zlib(t, "1:1.2.13-1")
	d := r.push("team/app:1.0", image(t, layer))
	hold := r.registry.hold("/blobs/", string(digestOf(t, layer)))
	r.work(nil)
	r.pushed("team/app", "1.0", d)
	<-hold.arrived
	r.registry.stop()
	r.waits(d, "unavailable")
	r.registry.failing(nil)
	r.registry.start()
	r.jobEnds(d, state.JobDone)
}

// A registry whose credential waits for an admin's word makes no scan fail.
func TestUnusableRegistryIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.queued("1.0", image(t, zlib(t, "1:1.2.13-1")))
	credential := func(name string) {
		t.Helper()
		if _, err := r.state.Registries.Change(t.Context(), failpoint.ConfigRegistry, registryName,
			func(m *state.Managed[config.Registry], _ bool) error { m.Value.Credential = name; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	credential("reader")
	r.work(nil)
	r.waits(d, "unconfirmed")
	if j := r.job(d); j.Attempts != (state.Attempts{}) {
		t.Errorf("attempts were counted: %+v", j.Attempts)
	}
	credential("")
	r.jobEnds(d, state.JobDone)
}

func TestRefusedBlobFailsAfterSomeAttempts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		code int
		why  string
	}{
		{"deleted", http.StatusNotFound, "not found"},
		{"refused", http.StatusForbidden, "unauthorized without a credential"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.work(nil)
			layer := zlib(t, "1:1.2.13-1")
			d := r.push("team/app:1.0", image(t, layer))
			r.registry.failing(status(tt.code, "GET", "/blobs/", string(digestOf(t, layer))))
			r.pushed("team/app", "1.0", d)
			job := r.jobEnds(d, state.JobFailed)
			if job.Attempts.Errors != state.MaxErrors || !strings.Contains(job.Error, tt.why) {
				t.Errorf("got %+v", job)
			}
			if dead := r.dead(); len(dead) != 1 || !strings.Contains(dead[0], tt.why) {
				t.Errorf("got dead letters %q", dead)
			}
			// Whoever asks again starts again.
			r.registry.failing(nil)
			r.pushed("team/app", "1.0", d)
			r.jobEnds(d, state.JobDone)
			if img := r.image(d); img.Error != "" || img.Status == verdict.Failed {
				t.Errorf("got image %+v", img)
			}
		})
	}
}

func TestWrongPasswordNamesTheCredential(t *testing.T) {
	r := newRig(t)
	layer := zlib(t, "1:1.2.13-1")
	d := r.push("team/app:1.0", image(t, layer))
	t.Setenv("LANDWAITER_TEST_PASSWORD", "right")
	file := filepath.Join(t.TempDir(), "landwaiter.yaml")
	doc := fmt.Sprintf(`
credentials:
  - {name: reader, type: basic, username: robot, password: {env: LANDWAITER_TEST_PASSWORD}}
registries:
  - {name: %s, type: oci, address: "http://%s", credential: reader}
rules:
  - {name: all, registry: %s}
`, registryName, r.registry.host, registryName)
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	r.registry.failing(func(w http.ResponseWriter, req *http.Request) bool {
		user, given, _ := req.BasicAuth()
		if user == "robot" && given == "right" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	stop := r.work(func(c *Config) { c.File = file })
	ask := events.ImageRequested{Registry: registryName, Repository: "team/app", Tag: "1.0"}
	if req := r.request(ask); req.State != state.RequestPlanned {
		t.Fatalf("with the right password: %+v", req)
	}
	r.jobEnds(d, state.JobDone)
	stop()

	t.Setenv("LANDWAITER_TEST_PASSWORD", "wrong")
	r.work(func(c *Config) { c.File = file })
	req := r.request(ask)
	if req.State != state.RequestFailed || !strings.Contains(req.Error, "unauthorized with credential reader") {
		t.Errorf("with a wrong one: %+v", req)
	}
	if strings.Contains(req.Error, "wrong") {
		t.Error("the error gives the password away")
	}
}

func TestImageDeletedBeforeItIsPlanned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	d := r.push("team/app:1.0", image(t, zlib(t, "1:1.2.13-1")))
	r.registry.remove("1.0", d)
	r.pushed("team/app", "1.0", d)
	r.idle()
	r.noJob(d)
	if req := r.request(events.ImageRequested{Registry: registryName, Repository: "team/app", Tag: "1.0"}); req.State != state.RequestFailed {
		t.Errorf("request became %+v", req)
	}
	if dead := r.dead(); len(dead) != 0 {
		t.Errorf("got dead letters %q", dead)
	}
}

func TestBombIsDoneInPart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	// 3 GB of zeros in 3 MB: members of 64 MB each, one after the other.
	member := zipped(t, make([]byte, 64<<20))
	bomb := bytes.Repeat(member, 48)
	began := time.Now()
	d := r.scanned("team/bomb", "1.0", image(t, zlib(t, "1:1.2.13-1"), raw(bomb, types.DockerLayer)))
	report := r.report(d)
	if report.Completeness.Complete || !slices.ContainsFunc(report.Completeness.Notes, func(n verdict.Note) bool {
		return n.Code == verdict.NoteLayerPartial
	}) {
		t.Errorf("got completeness %+v", report.Completeness)
	}
	if len(report.Packages) != 1 {
		t.Errorf("the other layer's packages: %+v", report.Packages)
	}
	t.Logf("took %s", time.Since(began))
}

func TestForeignLayerIsNoted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	foreign := raw([]byte("windows"), types.DockerForeignLayer)
	d := r.scanned("team/app", "1.0", image(t, zlib(t, "1:1.2.13-1"), foreign))
	notes := r.report(d).Completeness.Notes
	if !slices.ContainsFunc(notes, func(n verdict.Note) bool {
		return n.Code == verdict.NoteForeignLayer && n.Layer == string(digestOf(t, foreign))
	}) {
		t.Errorf("got notes %+v", notes)
	}
	if n := r.registry.gets("/blobs/", string(digestOf(t, foreign))); n != 0 {
		t.Errorf("the foreign layer was asked for %d times", n)
	}
}
