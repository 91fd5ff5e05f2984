package crashtest

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// TestKilledAroundEveryWrite runs the whole scenario once for each side of each
// failpoint. It takes minutes and is part of the end-to-end tests.
func TestKilledAroundEveryWrite(t *testing.T) {
	if os.Getenv("LANDWAITER_E2E") == "" {
		t.Skip("an end-to-end test: run it with `make e2e` or LANDWAITER_E2E=1")
	}
	for _, p := range failpoint.All() {
		for _, m := range []failpoint.Moment{failpoint.Before, failpoint.After} {
			spec := string(p) + ":" + string(m)
			t.Run(spec, func(t *testing.T) {
				t.Parallel()
				scenario(t, spec)
			})
		}
	}
}

// TestUnharmed runs the scenario without a crash.
func TestUnharmed(t *testing.T) { scenario(t, "") }

// world is the registry's content, the child and what both are to agree on.
type world struct {
	*child

	registry                                          *fakeRegistry
	good, swept, bad, flaky, gone, asked, pooled, odd string
	plain                                             string // with nothing that advisories are about
	base, own                                         string // good's layers
}

const rules = `registries:
  - name: local
    type: oci
    address: http://%s
    webhook: {secret: {env: HOOK_SECRET}}
rules:
  - {name: pushes, registry: local, repositories: [team/*, bad/*], onPush: true}
  - {name: swept, registry: local, repositories: [swept/app]}
  - {name: short, registry: local, repositories: [gone/app], retention: 2s}
  - {name: pooled, registry: local, repositories: [pooled/app], pool: nowhere}
`

// scenario does everything the pipeline can do, with one crash somewhere, and
// ends when everything has become as it would have without.
func scenario(t *testing.T, spec string) {
	t.Helper()
	w := &world{registry: startRegistry(t)}
	w.fill(t)
	dir := t.TempDir()
	advisories(t, dir, "CVE-2026-0001")
	w.child = newChild(t, spec, fmt.Sprintf(rules, w.registry.host), dir)

	w.deliver("layer", w.event("l1", "team/good", "", w.base, "application/octet-stream"))
	w.deliver("good", w.event("p1", "team/good", "1", w.good, ""))
	w.deliver("plain", w.event("p8", "team/plain", "1", w.plain, ""))
	w.deliver("corrupt", w.event("p2", "bad/corrupt", "1", w.bad, ""))
	w.deliver("flaky", w.event("p3", "bad/flaky", "1", w.flaky, ""))
	w.deliver("odd", w.event("p4", "bad/odd", "", w.odd, ""))
	w.deliver("gone", w.event("p5", "gone/app", "1", w.gone, ""))
	w.deliver("pooled", w.event("p6", "pooled/app", "1", w.pooled, ""))
	var swept sweep
	w.order("/api/v1/sweeps", map[string]any{"rule": "swept", "force": true}, &swept)
	w.forgotten(swept.ID) // while its scan is remembered
	w.cancelled()
	w.controlled()
	w.order("/api/v1/registries/local/test", map[string]any{}, nil)
	w.reported("good", w.good, 6, 1)
	// Nobody does its scan: it waits, and gives its turn to others.
	w.order("/api/v1/sweeps", map[string]any{"rule": "pooled"}, nil)
	w.deliver("good again", w.event("p7", "team/good", "1", w.good, ""))
	w.reported("swept", w.swept, 6, 1)
	w.reported("plain", w.plain, 6, 0)
	w.reported("corrupt", w.bad, 0, 0)
	w.reported("flaky", w.flaky, 0, 0)
	w.triedAgain()
	w.readAgain()
	w.reported("gone while there", w.gone, 6, 1)
	w.registry.set(func(f *fakeRegistry) { f.gone = "gone/app" })
	w.deliver("delete", strings.Replace(w.event("d1", "gone/app", "", w.gone, ""), `"push"`, `"delete"`, 1))
	w.expired(w.gone)
	advisories(t, dir, "CVE-2026-0001", "CVE-2026-0002")
	w.order("/api/v1/advisories/update", map[string]any{}, nil)
	w.reported("good after new advisories", w.good, 6, 2)
	w.reported("swept after new advisories", w.swept, 6, 2)
	w.same("plain after new advisories", w.plain, w.good)
	w.reached()
	w.reported("good at the end", w.good, 6, 2)
	w.same("plain at the end", w.plain, w.good)
	w.expired(w.gone)
	// Each layer is read once, and once more by a crash in between.
	for _, l := range []string{w.base, w.own} {
		if n := w.registry.reads(l); n > 2 {
			t.Errorf("layer %s was read %d times", l, n)
		}
	}
}

func (w *world) fill(t *testing.T) {
	t.Helper()
	base := debian(t)
	own := layer(t, map[string]string{"app/own": "1"})
	stuck := layer(t, map[string]string{"app/stuck": "1"})
	lost := layer(t, map[string]string{"app/lost": "1"})
	w.base, w.own = digest(t, base), digest(t, own)
	w.good = w.registry.push(t, "team/good:1", image(t, base, own))
	w.plain = w.registry.push(t, "team/plain:1", image(t, layer(t, map[string]string{
		"etc/os-release": "ID=debian\nVERSION_ID=\"12\"\n",
		"var/lib/dpkg/status": "Package: bash\nStatus: install ok installed\nArchitecture: amd64\n" +
			"Version: 5.2-1\nMaintainer: Debian <d@debian.org>\n\n",
	})))
	w.swept = w.registry.push(t, "swept/app:1", image(t, base, layer(t, map[string]string{"app/swept": "1"})))
	w.bad = w.registry.push(t, "bad/corrupt:1", image(t, base, corrupt()))
	w.flaky = w.registry.push(t, "bad/flaky:1", image(t, base, lost))
	w.gone = w.registry.push(t, "gone/app:1", image(t, base, layer(t, map[string]string{"app/gone": "1"})))
	w.asked = w.registry.push(t, "asked/app:1", image(t, base, stuck))
	w.pooled = w.registry.push(t, "pooled/app:1", image(t, base, layer(t, map[string]string{"app/pooled": "1"})))
	odd := []byte(`{"schemaVersion":2,"layers":7}`)
	sum := sha256.Sum256(odd)
	w.odd = "sha256:" + hex.EncodeToString(sum[:])
	w.registry.set(func(f *fakeRegistry) {
		f.busy = "pooled/app"
		f.slow, f.stuck, f.lost, f.odd[w.odd] = digest(t, own), digest(t, stuck), digest(t, lost), odd
	})
}

// event is a notification of CNCF Distribution.
func (w *world) event(id, repository, tag, digest, mediaType string) string {
	if mediaType == "" {
		mediaType = "application/vnd.docker.distribution.manifest.v2+json"
	}
	raw, err := json.Marshal(map[string]any{"events": []any{map[string]any{
		"id": id, "timestamp": time.Now(), "action": "push",
		"target":  map[string]any{"mediaType": mediaType, "digest": digest, "repository": repository, "tag": tag, "size": 100},
		"request": map[string]any{"host": w.registry.host, "method": "PUT"},
	}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(raw)
}

// deliver sends a notification until it is accepted, as the registry does.
func (w *world) deliver(what, body string) {
	w.t.Helper()
	w.until("deliver "+what, func(ctx context.Context) error {
		return w.send(ctx, http.MethodPost, w.hooks+"/hooks/local/"+hookSecret, strings.NewReader(body), nil)
	})
}

func (w *world) send(ctx context.Context, method, url string, body io.Reader, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	// An answer that a crash swallowed is asked for again: the same request.
	req.Header.Set("Idempotency-Key", "once")
	res, err := client().Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if err := status(res); err != nil || into == nil {
		return err
	}
	return json.NewDecoder(res.Body).Decode(into)
}

func (w *world) order(path string, body, into any) {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	w.until("POST "+path, func(ctx context.Context) error {
		return w.send(ctx, http.MethodPost, w.console+path, bytes.NewReader(raw), into)
	})
}

// cancelled asks for a scan that gets stuck, and cancels it in the middle.
func (w *world) cancelled() {
	w.t.Helper()
	var scan struct {
		ID, State string
		Scans     []struct{ State string }
	}
	w.order("/api/v1/scans", map[string]any{"image": w.registry.host + "/asked/app:1"}, &scan)
	show := func(ctx context.Context, want string) error {
		err := w.send(ctx, http.MethodGet, w.console+"/api/v1/scans/"+scan.ID, http.NoBody, &scan)
		if err == nil && (len(scan.Scans) != 1 || scan.Scans[0].State != want) {
			err = fmt.Errorf("the request is %+v", scan)
		}
		return err
	}
	w.until("the scan to be cancelled runs", func(ctx context.Context) error { return show(ctx, "running") })
	w.order("/api/v1/scans/"+scan.ID+"/cancel", map[string]any{}, nil)
	w.until("the scan is cancelled", func(ctx context.Context) error { return show(ctx, "cancelled") })
}

func (w *world) reported(what, digest string, status, findings int) {
	w.t.Helper()
	w.until(what, func(ctx context.Context) error {
		var r struct {
			Status   int
			Error    string
			Findings []struct{ ID string }
		}
		err := w.send(ctx, http.MethodGet, w.console+"/api/v1/reports/"+digest, http.NoBody, &r)
		if err == nil && (r.Status != status || len(r.Findings) != findings || (r.Error != "") != (status == 0)) {
			err = fmt.Errorf("the report is %+v", r)
		}
		return err
	})
}

// same waits until two images' verdicts hold for the same database.
func (w *world) same(what, digest, other string) {
	w.t.Helper()
	w.until(what, func(ctx context.Context) error {
		var version [2]string
		for i, d := range []string{digest, other} {
			var r struct{ Database struct{ Version string } }
			if err := w.send(ctx, http.MethodGet, w.console+"/api/v1/reports/"+d, http.NoBody, &r); err != nil {
				return err
			}
			version[i] = r.Database.Version
		}
		if version[0] != version[1] || version[0] == "" {
			return fmt.Errorf("databases %v", version)
		}
		return nil
	})
}

var errStillThere = errors.New("it is still there")

func (w *world) expired(digest string) {
	w.t.Helper()
	w.until("expiry", func(ctx context.Context) error {
		err := w.send(ctx, http.MethodGet, w.console+"/api/v1/images/"+digest, http.NoBody, nil)
		if err != nil && strings.HasSuffix(err.Error(), "404 Not Found") {
			return nil
		}
		return errors.Join(err, errStillThere)
	})
}

// advisories replaces the export by one that knows these flaws of zlib.
func advisories(t *testing.T, dir string, ids ...string) {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, id := range ids {
		w, err := z.Create("DEBIAN-" + id + ".json")
		if err == nil {
			_, err = fmt.Fprintf(w, `{"schema_version":"1.7.0","id":"DEBIAN-%s","modified":"2026-01-01T00:00:00Z","upstream":[%q],
				"affected":[{"package":{"ecosystem":"Debian:12","name":"zlib"},
				"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1:1.3-1"}]}]}]}`, id, id)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	target := filepath.Join(dir, "Debian", "all.zip")
	err := errors.Join(z.Close(), os.MkdirAll(filepath.Dir(target), 0o750),
		os.WriteFile(target+".new", buf.Bytes(), 0o600), os.Rename(target+".new", target))
	if err != nil {
		t.Fatal(err)
	}
}
