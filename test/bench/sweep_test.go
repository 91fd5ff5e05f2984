package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/test/harness"
)

// roleAsk asks a registry for what a sweep asked it for.
const roleAsk = "ask"

const (
	// sweepRepositories is how many there are unless LANDWAITER_CATALOG says
	// otherwise.
	sweepRepositories = 2000
	// sweepAtOnce is how many requests may be in flight, ours and the floor's.
	sweepAtOnce = 16
)

// BenchmarkSweep sweeps a catalogue of which nothing is known, and again when
// all is known, beside a client that asks the registry for the same and does
// nothing with the answers.
func BenchmarkSweep(b *testing.B) {
	whole(b)
	registry := harness.StartRegistry(b, harness.RegistryOptions{})
	catalog := registry.Fill(b, harness.ShapeFromEnv(b, sweepRepositories))
	s := startSweeps(b, registry)
	what := fmt.Sprintf("sweep of %d repositories, %d tags, %d images: ", len(catalog.Repositories), catalog.Tags(), catalog.Images())

	redis, stored := s.redisBytes(b), s.storedBytes(b)
	s.service(b, "cron")
	first := s.run(b, s.scheduled(b), len(catalog.Repositories)/4)
	first.rows(b, what+"first, all scanned", registry)
	results.add(row{what + "first, images a second", fmt.Sprintf("%.0f", float64(first.Counts.Finished)/first.took.Seconds()), "", "", ""})
	results.add(row{what + "peak memory of the worker", mebibytes(first.end.Peak), mebibytes(first.quarter.Peak) + " after a quarter", ratio(first.end.Peak, first.quarter.Peak), ""})
	results.add(row{what + "resident memory of the broker", mebibytes(takenBy(b, s.broker).Resident), "", "", ""})
	quiet(b, s.api.process)
	images := int64(catalog.Images())
	results.add(row{what + "Redis, bytes an image", strconv.FormatInt((s.redisBytes(b)-redis)/images, 10), "", "", ""})
	results.add(row{what + "JetStream, bytes an image", strconv.FormatInt((s.storedBytes(b)-stored)/images, 10), "", "", ""})

	again := s.run(b, s.order(b), len(catalog.Repositories)/4)
	again.rows(b, what+"unchanged", registry)
	results.add(row{what + "peak memory of the worker after the unchanged one", mebibytes(again.end.Peak), "", "", ""})
	for name, asked := range map[string][2]harness.Asked{
		"first": {catalog.Asked(first.requests), catalog.Everything()}, "unchanged": {catalog.Asked(again.requests), catalog.Listing(false)},
	} {
		if asked[0] != asked[1] {
			b.Errorf("%s: asked for %+v, want %+v", name, asked[0], asked[1])
		}
	}
	b.ReportMetric(first.took.Seconds(), "first-s")
	b.ReportMetric(again.took.Seconds(), "unchanged-s")
}

// sweeps is a new installation of separate processes with one rule for all of a
// registry.
type sweeps struct {
	registry *harness.Registry
	broker   *harness.Process
	worker   *harness.Process
	redis    *harness.Redis
	api      *up
	js       jetstream.JetStream
	env      []string
	asked    int // requests that belong to a sweep before
}

func startSweeps(b *testing.B, registry *harness.Registry) *sweeps {
	b.Helper()
	s := &sweeps{registry: registry, redis: harness.StartRedis(b)}
	config := filepath.Join(b.TempDir(), "landwaiter.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, `registries:
  - name: local
    type: oci
    address: http://%s
    limits: {requestsPerSecond: 100000, concurrency: %d}
rules:
  - name: all
    registry: local
    onPush: false
    schedule: {everyDays: 365}
`, registry.Host, sweepAtOnce), 0o600); err != nil {
		b.Fatal(err)
	}
	var url string
	s.broker, url = startBroker(b)
	nc, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	if s.js, err = jetstream.New(nc); err != nil {
		b.Fatal(err)
	}
	s.env = []string{
		"LANDWAITER_NATS=" + url, "LANDWAITER_CONFIG=" + config, "LANDWAITER_NATS_SYNC=always",
		"LANDWAITER_WEBHOOK_KEY=" + strings.Repeat("0123456789abcdef", 4),
	}
	s.api = &up{console: "http://" + free(b), client: &http.Client{Timeout: soon}}
	s.api.process = s.service(b, "report", "LANDWAITER_REDIS="+s.redis.URL, "LANDWAITER_ADMIN_TOKEN="+token,
		"LANDWAITER_HTTP="+strings.TrimPrefix(s.api.console, "http://"))
	s.worker = s.service(b, "worker", "LANDWAITER_DATA="+b.TempDir(), "LANDWAITER_ADVISORIES_SOURCE="+advisories(b))
	quiet(b, s.worker)
	quiet(b, s.api.process)
	return s
}

// service starts one of the project's services and waits until it is ready. Its
// log goes to a file.
func (s *sweeps) service(b *testing.B, name string, env ...string) *harness.Process {
	b.Helper()
	admin := free(b)
	p := harness.Start(b, harness.Command{
		Path: "/bin/sh", Args: []string{"-c", `exec "$0" 2>"$1"`, harness.Binary(b, name), filepath.Join(b.TempDir(), name+".log")},
		Env: append(append(env, "LANDWAITER_ADMIN="+admin), s.env...),
	})
	harness.WaitFor(b, soon, name, harness.Answers("http://"+admin+"/readyz"), p)
	return p
}

func (s *sweeps) redisBytes(b *testing.B) int64 {
	b.Helper()
	info, err := s.redis.Client(b).InfoMap(b.Context(), "memory").Result()
	if err != nil {
		b.Fatal(err)
	}
	n, err := strconv.ParseInt(info["Memory"]["used_memory"], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func (s *sweeps) storedBytes(b *testing.B) int64 {
	b.Helper()
	info, err := s.js.AccountInfo(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return int64(info.Store)
}

// sweepRun is one sweep and what it took.
type sweepRun struct {
	ID, State string
	Partial   bool
	Errors    []string
	Counts    struct{ Repositories, Images, Finished, Failed int }

	took                time.Duration
	begin, quarter, end usage         // of the worker
	broker              time.Duration // its processor time
	requests            []harness.Request
}

func (s *sweeps) decode(b *testing.B, path string, into any) error {
	b.Helper()
	res, err := s.api.get(b.Context(), path)
	if err != nil {
		return err
	}
	return errors.Join(json.NewDecoder(res.Body).Decode(into), res.Body.Close())
}

// scheduled is the id of the sweep that the rule's schedule has begun.
func (s *sweeps) scheduled(b *testing.B) string {
	b.Helper()
	var list struct{ Sweeps []sweepRun }
	harness.WaitFor(b, soon, "the first sweep", func(context.Context) error {
		if err := s.decode(b, "/api/v1/sweeps", &list); err != nil {
			return err
		}
		if len(list.Sweeps) == 0 {
			return errors.New("there is none")
		}
		return nil
	}, s.worker)
	return list.Sweeps[0].ID
}

// order asks for a sweep.
func (s *sweeps) order(b *testing.B) string {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, s.api.console+"/api/v1/sweeps", strings.NewReader(`{"rule":"all"}`))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := s.api.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	var r sweepRun
	if err := errors.Join(err, res.Body.Close(), json.Unmarshal(raw, &r)); err != nil || r.ID == "" {
		b.Fatalf("order a sweep: %s %s: %v", res.Status, raw, err)
	}
	return r.ID
}

// run waits for the end of a sweep that has just begun.
func (s *sweeps) run(b *testing.B, id string, quarter int) sweepRun {
	b.Helper()
	r := sweepRun{begin: takenBy(b, s.worker)}
	broker := takenBy(b, s.broker).CPU
	begun := time.Now()
	harness.WaitFor(b, time.Hour, "a sweep's end", func(context.Context) error {
		if err := s.decode(b, "/api/v1/sweeps/"+id, &r); err != nil {
			return err
		}
		if r.quarter.Peak == 0 && r.Counts.Repositories >= quarter {
			r.quarter = takenBy(b, s.worker)
		}
		if r.State != "done" && r.State != "failed" {
			return fmt.Errorf("it is %s: %+v", r.State, r.Counts)
		}
		return nil
	}, s.worker, s.broker, s.registry)
	r.took, r.end, r.broker = time.Since(begun), takenBy(b, s.worker), takenBy(b, s.broker).CPU-broker
	if r.State != "done" || r.Partial || r.Counts.Failed != 0 {
		b.Fatalf("sweep %s is %s: %+v %v", id, r.State, r.Counts, r.Errors)
	}
	all := s.registry.Requests(b)
	for _, q := range all[s.asked:] {
		if strings.HasPrefix(q.Agent, "landwaiter") { // and not the floor
			r.requests = append(r.requests, q)
		}
	}
	s.asked = len(all)
	return r
}

// rows adds what the sweep took beside what it takes to ask for the same.
func (r sweepRun) rows(b *testing.B, what string, registry *harness.Registry) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "requests")
	var list strings.Builder
	for _, q := range r.requests {
		list.WriteString(q.Method + " http://" + registry.Host + q.Path + "\n")
	}
	if err := os.WriteFile(file, []byte(list.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	result := harness.Run(b.Context(), b, harness.Command{Path: self(b), Args: []string{file}, Env: []string{envRole + "=" + roleAsk}})
	var least cost
	if err := json.Unmarshal([]byte(result.Stdout), &least); err != nil || result.Code != 0 {
		b.Fatalf("floor: %v %s", err, result.Stderr)
	}
	against := fmt.Sprintf(" for the same %d requests", len(r.requests))
	results.add(row{what + ", time", seconds(r.took), seconds(least.Wall) + against, ratio(r.took, least.Wall), ""})
	cpu := r.end.CPU - r.begin.CPU
	results.add(row{what + ", CPU of the worker", seconds(cpu), seconds(least.CPU) + against, ratio(cpu, least.CPU), ""})
	each := fmt.Sprintf("%.1f ms", float64(cpu.Microseconds())/1000/float64(max(1, r.Counts.Images)))
	results.add(row{what + ", CPU of the worker for each image the sweep found", each, "", "", ""})
	results.add(row{what + ", CPU of the broker", seconds(r.broker), "", "", ""})
}

// ask sends the requests in a file, a line each, and does nothing with the
// answers.
func ask(file string, out io.Writer) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read requests: %w", err)
	}
	before, err := usageOf("self")
	if err != nil {
		return err
	}
	begun := time.Now()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: sweepAtOnce}, Timeout: time.Minute}
	var group errgroup.Group
	group.SetLimit(sweepAtOnce)
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		method, url, _ := strings.Cut(lines.Text(), " ")
		group.Go(func() error {
			req, err := http.NewRequest(method, url, http.NoBody)
			if err != nil {
				return fmt.Errorf("request: %w", err)
			}
			req.Header.Set("Accept", "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json")
			res, err := client.Do(req)
			if err != nil {
				return fmt.Errorf("ask: %w", err)
			}
			return drain(res)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	wall := time.Since(begun)
	after, err := usageOf("self")
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(cost{CPU: after.CPU - before.CPU, Wall: wall, Peak: after.Peak})
}
