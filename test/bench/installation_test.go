package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/test/harness"
)

const hookSecret = "bench-hook-secret"

// advisories is a directory in OSV export layout: the one that is named, else
// the small set that comes with landwaiter.
func advisories(b *testing.B) string {
	b.Helper()
	if dir := os.Getenv("LANDWAITER_ADVISORIES"); dir != "" {
		return dir
	}
	return filepath.Join(harness.Top(b), "services", "landwaiter", "sample")
}

// configuration is a file that watches one registry.
func configuration(b *testing.B, registry string) string {
	b.Helper()
	file := filepath.Join(b.TempDir(), "landwaiter.yaml")
	text := fmt.Sprintf(`registries:
  - name: local
    type: oci
    address: http://%s
    webhook: {secret: {env: HOOK_SECRET}}
rules:
  - name: everything
    registry: local
    onPush: true
`, registry)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}

// pipeline is a new installation of separate processes that knows nothing.
type pipeline struct {
	worker  *harness.Process
	others  []*harness.Process // further workers
	hook    string             // address for notifications
	results chan nats.Msg      // what the workers announce

	broker, config string
}

func startPipeline(b *testing.B, registry string) *pipeline {
	b.Helper()
	_, url := startBroker(b)
	p := &pipeline{results: make(chan nats.Msg, 1024)}
	conn, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	if _, err := conn.Subscribe("landwaiter.result.>", func(m *nats.Msg) { p.results <- *m }); err != nil {
		b.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		b.Fatal(err)
	}
	p.broker, p.config = url, configuration(b, registry)
	_, p.hook = startIngest(b, url, p.config)
	p.worker = p.startWorker(b, advisories(b))
	p.await(b, "", "advisories.updated")
	quiet(b, p.worker)
	return p
}

// startWorker starts one more worker, which brings in advisories unless their
// source is "none".
func (p *pipeline) startWorker(b *testing.B, source string) *harness.Process {
	b.Helper()
	admin := free(b)
	worker := harness.Start(b, harness.Command{Path: harness.Binary(b, "worker"), Env: []string{
		"LANDWAITER_NATS=" + p.broker, "LANDWAITER_CONFIG=" + p.config, "LANDWAITER_DATA=" + b.TempDir(),
		"LANDWAITER_ADVISORIES_SOURCE=" + source, "LANDWAITER_ADMIN=" + admin,
	}})
	harness.WaitFor(b, soon, "a worker", harness.Answers("http://"+admin+"/readyz"), worker)
	return worker
}

// startIngest starts the service with its log in a file, as an installation has
// it, and returns the address for the registry's notifications.
func startIngest(b *testing.B, broker, config string) (*harness.Process, string) {
	b.Helper()
	hooks, admin := free(b), free(b)
	p := harness.Start(b, harness.Command{
		Path: "/bin/sh",
		Args: []string{"-c", `exec "$0" 2>"$1"`, harness.Binary(b, "ingest"), filepath.Join(b.TempDir(), "ingest.log")},
		Env: []string{
			"LANDWAITER_NATS=" + broker, "LANDWAITER_CONFIG=" + config, "HOOK_SECRET=" + hookSecret,
			"LANDWAITER_INGEST=" + hooks, "LANDWAITER_ADMIN=" + admin,
			"LANDWAITER_NATS_SYNC=always", "LANDWAITER_INGEST_RATE=1000000",
		},
	})
	harness.WaitFor(b, soon, "ingest", harness.Answers("http://"+admin+"/readyz"), p)
	return p, "http://" + hooks + "/hooks/local/" + hookSecret
}

// await returns the next announcement about an image, blank for any, that is of
// one of the kinds.
func (p *pipeline) await(b *testing.B, digest string, kinds ...string) (kind string, m nats.Msg) {
	b.Helper()
	limit := time.NewTimer(soon)
	defer limit.Stop()
	for {
		select {
		case m := <-p.results:
			for _, kind := range kinds {
				if strings.HasPrefix(m.Subject, "landwaiter.result."+kind+".") && strings.Contains(string(m.Data), digest) {
					return kind, m
				}
			}
		case <-p.worker.Done():
			b.Fatalf("worker ended: %v", p.worker.Err())
		case <-limit.C:
			b.Fatalf("no %v of %s", kinds, digest)
		}
	}
}

// notification is what CNCF Distribution sends after the push of an image.
func notification(id, registry, repository, tag, digest string) string {
	event := map[string]any{
		"id": id, "timestamp": time.Now().UTC().Format(time.RFC3339Nano), "action": "push",
		"target": map[string]any{
			"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 423, "length": 423,
			"repository": repository, "tag": tag,
			"url": "http://" + registry + "/v2/" + repository + "/manifests/" + digest,
		},
		"request": map[string]any{
			"id": id, "addr": "127.0.0.1:48962", "host": registry, "method": "PUT", "useragent": "bench",
		},
		"actor": map[string]any{}, "source": map[string]any{"addr": "bench:5000", "instanceID": "bench"},
	}
	raw, err := json.Marshal(map[string]any{"events": []any{event}})
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(raw)
}

const notificationType = "application/vnd.docker.distribution.events.v2+json"

// post sends one notification and is done when it is accepted.
func post(ctx context.Context, client *http.Client, url, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", notificationType)
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("send notification: %w", err)
	}
	if err := drain(res); err != nil {
		return err
	}
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("notification answered with %s", res.Status)
	}
	return nil
}

// free is an address nobody listens on.
func free(b *testing.B) string {
	b.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	return strings.TrimPrefix(s.URL, "http://")
}
