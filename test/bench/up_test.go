package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/test/harness"
)

const token = "bench-admin-token-0123456789"

// up is a `landwaiter up` with everything embedded.
type up struct {
	process        *harness.Process
	console, hooks string // base addresses
	client         *http.Client
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

func startUp(b *testing.B, registry string) *up {
	b.Helper()
	u := &up{client: &http.Client{Timeout: soon}}
	u.process = harness.Start(b, harness.Command{
		Path: harness.Binary(b, "landwaiter"),
		Args: []string{
			"up", "--config", configuration(b, registry), "--data", b.TempDir(),
			"--http", "127.0.0.1:0", "--ingest", "127.0.0.1:0", "--advisories", advisories(b),
		},
		Env: []string{"LANDWAITER_ADMIN_TOKEN=" + token, "HOOK_SECRET=" + hookSecret},
	})
	harness.WaitFor(b, soon, "the addresses", func(context.Context) error {
		found := address.FindAllString(u.process.Stdout(), -1)
		if len(found) < 2 {
			return fmt.Errorf("printed so far: %q", u.process.Stdout())
		}
		u.console, u.hooks = found[0], found[1]
		return nil
	}, u.process)
	quiet(b, u.process)
	return u
}

// BenchmarkIdle looks at an installation that has nothing to do.
func BenchmarkIdle(b *testing.B) {
	whole(b)
	const span = 10 * time.Second
	registry := harness.StartRegistry(b, harness.RegistryOptions{})
	begun := time.Now()
	u := startUp(b, registry.Host)
	ready := time.Since(begun)
	before := u.everything(b)
	timer := time.NewTimer(span)
	select {
	case <-timer.C:
	case <-u.process.Done():
		b.Fatalf("up ended: %v", u.process.Err())
	}
	after := u.everything(b)
	var names []string
	var resident int64
	var cpu time.Duration
	for i, name := range []string{"up", "its redis-server"} {
		if i >= len(after) || i >= len(before) {
			break
		}
		resident += after[i].Resident
		cpu += after[i].CPU - before[i].CPU
		names = append(names, name+" "+mebibytes(after[i].Resident))
	}
	results.add(row{"idle `up`: resident", mebibytes(resident) + " (" + strings.Join(names, ", ") + ")", "", "", "< 150 MiB"})
	results.add(row{"idle `up`: CPU over 10 s", fmt.Sprintf("%.1f %% of a core", 100*cpu.Seconds()/span.Seconds()), "", "", "< 1 %"})
	results.add(row{"`up`: started and quiet after", seconds(ready), "", "", ""})
	b.ReportMetric(float64(resident)/(1<<20), "MiB")
	b.ReportMetric(100*cpu.Seconds()/span.Seconds(), "%cpu")
}

// everything is what up and the processes it started take.
func (u *up) everything(b *testing.B) []usage {
	b.Helper()
	all := []usage{takenBy(b, u.process)}
	for _, pid := range children(b, u.process) {
		if taken, err := usageOf(pid); err == nil { // it may have ended
			all = append(all, taken)
		}
	}
	return all
}

// BenchmarkPushToReport takes the time from a webhook about an image with known
// layers until its report can be read.
func BenchmarkPushToReport(b *testing.B) {
	whole(b)
	const pushes = 60
	registry := harness.StartRegistry(b, harness.RegistryOptions{})
	image, _ := debian(b, compressions()[0])
	u := startUp(b, registry.Host)
	done := u.completions(b)
	// The rule's first sweep has seen an empty registry: what is pushed from now
	// on is known by its webhook alone.
	first := registry.Push(b, "bench/app:first", image).String()
	cold := u.reported(b, done, registry.Host, "first", first)
	took := make([]time.Duration, pushes)
	for i := range took {
		tag := fmt.Sprintf("v%d", i)
		digest := registry.Push(b, "bench/app:"+tag, variant(b, image, i)).String()
		took[i] = u.reported(b, done, registry.Host, tag, digest)
	}
	p50, p95 := quantile(took, 0.5), quantile(took, 0.95)
	what := fmt.Sprintf("webhook to readable report, `up`, known layers, %d pushes one by one: ", pushes)
	results.add(row{what + "p50", milliseconds(p50), "", "", ""})
	results.add(row{what + "p95", milliseconds(p95), "", "", "< 250 ms"})
	results.add(row{"webhook to readable report, `up`, the first push, all layers read", milliseconds(cold), "", "", ""})
	b.ReportMetric(float64(p50.Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(p95.Microseconds())/1000, "p95-ms")
}

// patience is how long one report may take.
const patience = 30 * time.Second

// reported sends the notification and returns how long the report took.
func (u *up) reported(b *testing.B, done <-chan string, host, tag, digest string) time.Duration {
	b.Helper()
	begun := time.Now()
	if err := post(b.Context(), u.client, u.hooks+"/hooks/local/"+hookSecret, notification(digest, host, "bench/app", tag, digest)); err != nil {
		b.Fatal(err)
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case data := <-done:
			if !strings.Contains(data, digest) {
				continue
			}
		case <-limit.C:
			b.Fatalf("the report of %s (tag %s) is not announced; asked for, it gives: %v", digest, tag, u.readable(b.Context(), digest))
		case <-u.process.Done():
			b.Fatalf("up ended: %v", u.process.Err())
		}
		if err := u.readable(b.Context(), digest); err != nil {
			b.Fatalf("announced, but: %v", err)
		}
		return time.Since(begun)
	}
}

func (u *up) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.console+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := *u.client
	if strings.HasSuffix(path, "/events") {
		client.Timeout = 0
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", path, err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("get %s: %s", path, res.Status), res.Body.Close())
	}
	return res, nil
}

func (u *up) readable(ctx context.Context, digest string) error {
	res, err := u.get(ctx, "/api/v1/reports/"+digest)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	var r struct{ Status int }
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	if r.Status != 6 {
		return fmt.Errorf("status is %d", r.Status)
	}
	return nil
}

// completions follows the stream of events and passes on what it says of scans
// that are over.
func (u *up) completions(b *testing.B) <-chan string {
	b.Helper()
	res, err := u.get(b.Context(), "/api/v1/events")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan string, 1024)
	go func() { // ends with the benchmark's context
		defer func() { _ = res.Body.Close() }()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 16<<20)
		kind := ""
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				kind = rest
			}
			if rest, ok := strings.CutPrefix(lines.Text(), "data: "); ok && (kind == "scan.completed" || kind == "scan.failed") {
				done <- rest
			}
		}
		if b.Context().Err() == nil {
			b.Errorf("the stream of events ended: %v", lines.Err())
		}
	}()
	return done
}
