package bench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/landwaiter/landwaiter/test/harness"
)

// rounds is how often a scan and its floor are measured, in turns.
const rounds = 5

// BenchmarkScan reads a real image from a registry on this machine, for the
// first time, beside the floor.
func BenchmarkScan(b *testing.B) {
	registry := harness.StartRegistry(b, harness.RegistryOptions{})
	for _, c := range compressions() {
		b.Run(c.name, func(b *testing.B) {
			whole(b)
			image, weight := debian(b, c)
			repository := "bench/" + c.name
			digest := registry.Push(b, repository+":1", image).String()
			urls := blobs(b, registry, repository, image)
			runFloor(b, urls) // everything is in the page cache now
			var ours, least []cost
			for i := range rounds {
				b.Run(fmt.Sprint("round ", i+1), func(b *testing.B) {
					whole(b)
					least = append(least, runFloor(b, urls))
					ours = append(ours, scan(b, registry, repository, digest))
				})
			}
			report(b, c, weight, ours, least)
		})
	}
}

func report(b *testing.B, c compression, weight size, ours, least []cost) {
	b.Helper()
	if len(ours) < rounds || len(least) < rounds {
		return // it was said why
	}
	budget := map[string]string{"gzip": "CPU <= 1.15", "zstd": "CPU <= 1.3"}[c.name]
	what := fmt.Sprintf("cold scan, %d %s layers (%s), %.0f MB packed, %.0f MB unpacked: ",
		layers, c.name, c.level, float64(weight.compressed)/1e6, float64(weight.inflated)/1e6)
	compared(b, what, budget, ours, least)
}

func each[T any](all []cost, of func(cost) T) []T {
	values := make([]T, len(all))
	for i, c := range all {
		values[i] = of(c)
	}
	return values
}

// scan has a new installation scan an image and returns what its worker took
// from the webhook on.
func scan(b *testing.B, registry *harness.Registry, repository, digest string) cost {
	b.Helper()
	p := startPipeline(b, registry.Host)
	c, kind, body := p.scan(b, registry.Host, repository, digest)
	if kind != "scan.completed" || !matched(b, body) {
		b.Fatalf("%s: %s", kind, body)
	}
	return c
}

// matched reports whether an announced scan found out all it should.
func matched(b *testing.B, body []byte) bool {
	b.Helper()
	var event struct{ Status int }
	if err := json.Unmarshal(body, &event); err != nil {
		b.Fatal(err)
	}
	return event.Status == 6
}

func (p *pipeline) scan(b *testing.B, host, repository, digest string) (c cost, kind string, body []byte) {
	b.Helper()
	before, begun := takenBy(b, p.worker), time.Now()
	if err := post(b.Context(), &http.Client{Timeout: soon}, p.hook, notification(digest, host, repository, "1", digest)); err != nil {
		b.Fatal(err)
	}
	kind, m := p.await(b, digest, "scan.completed", "scan.failed")
	wall := time.Since(begun)
	quiet(b, p.worker) // what comes after the announcement belongs to the scan
	after := takenBy(b, p.worker)
	return cost{CPU: after.CPU - before.CPU, Wall: wall, Peak: after.Peak, Written: after.Written - before.Written}, kind, m.Data
}

// blobs are the addresses of an image's layers.
func blobs(b *testing.B, registry *harness.Registry, repository string, image v1.Image) []string {
	b.Helper()
	layers, err := image.Layers()
	if err != nil {
		b.Fatal(err)
	}
	urls := make([]string, len(layers))
	for i, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			b.Fatal(err)
		}
		urls[i] = "http://" + registry.Host + "/v2/" + repository + "/blobs/" + digest.String()
	}
	return urls
}

// BenchmarkBomb gives a worker three megabytes that inflate to three gigabytes.
func BenchmarkBomb(b *testing.B) {
	whole(b)
	registry := harness.StartRegistry(b, harness.RegistryOptions{})
	image := bomb(b)
	digest := registry.Push(b, "bench/bomb:1", image).String()
	p := startPipeline(b, registry.Host)
	idle := takenBy(b, p.worker).Peak
	c, kind, body := p.scan(b, registry.Host, "bench/bomb", digest)
	var event struct{ Completeness struct{ Complete bool } }
	if err := json.Unmarshal(body, &event); err != nil {
		b.Fatal(err)
	}
	what := fmt.Sprintf("decompression bomb, 3 MB of 3.2 GB (%s, complete: %t): ", kind, event.Completeness.Complete)
	results.add(row{what + "wall", seconds(c.Wall), "", "", "< 1 s"})
	results.add(row{what + "CPU", seconds(c.CPU), "", "", ""})
	results.add(row{what + "peak memory of the worker", mebibytes(c.Peak), mebibytes(idle) + " before", "", "< 64 MiB"})
	results.add(row{what + "written to disk", mebibytes(c.Written), "", "", "0"})
}

// BenchmarkKnownLayers scans images that differ in their configurations alone,
// one after the other.
func BenchmarkKnownLayers(b *testing.B) {
	whole(b)
	const images = 40
	registry := harness.StartRegistry(b, harness.RegistryOptions{})
	image, _ := debian(b, compressions()[0])
	first := registry.Push(b, "bench/known:1", image).String()
	urls := blobs(b, registry, "bench/known", image)
	p := startPipeline(b, registry.Host)
	p.scan(b, registry.Host, "bench/known", first)
	digests := make([]string, images)
	for i := range digests {
		digests[i] = registry.Push(b, fmt.Sprintf("bench/known:v%d", i), variant(b, image, i)).String()
	}
	before, reads := takenBy(b, p.worker), layerReads(b, registry, urls)
	client := &http.Client{Timeout: soon}
	for i, digest := range digests {
		if err := post(b.Context(), client, p.hook, notification(digest, registry.Host, "bench/known", fmt.Sprintf("v%d", i), digest)); err != nil {
			b.Fatal(err)
		}
		if kind, m := p.await(b, digest, "scan.completed", "scan.failed"); kind == "scan.failed" {
			b.Fatalf("%s: %s", kind, m.Data)
		}
	}
	quiet(b, p.worker)
	cpu := (takenBy(b, p.worker).CPU - before.CPU) / images
	results.add(row{"scan, all layers known: CPU of the worker for an image", milliseconds(cpu), "", "", "<= 20 ms"})
	results.add(row{"scan, all layers known: layers read", strconv.Itoa(layerReads(b, registry, urls) - reads), "", "", "0"})
	b.ReportMetric(float64(cpu.Microseconds())/1000, "cpu-ms/image")
}

// layerReads is how often one of the blobs was read.
func layerReads(b *testing.B, registry *harness.Registry, urls []string) int {
	b.Helper()
	n := 0
	for _, r := range registry.Requests(b) {
		if r.Method == http.MethodGet && slices.Contains(urls, "http://"+registry.Host+r.Path) {
			n++
		}
	}
	return n
}
