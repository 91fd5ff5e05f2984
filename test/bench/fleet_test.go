package bench

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/test/harness"
)

const (
	fleetImages = 40
	fleetBases  = 3
)

// BenchmarkFleet announces many images over a few bases at once, to one worker
// and to three, and counts how often each layer was read.
func BenchmarkFleet(b *testing.B) {
	for _, workers := range []int{1, 3} {
		b.Run(strconv.Itoa(workers), func(b *testing.B) {
			whole(b)
			registry := harness.StartRegistry(b, harness.RegistryOptions{})
			digests, urls := pushFleet(b, registry)
			p := startPipeline(b, registry.Host)
			for len(p.others) < workers-1 {
				p.others = append(p.others, p.startWorker(b, "none"))
			}
			before := p.processor(b)
			begun := time.Now()
			client := &http.Client{Timeout: soon}
			for i, digest := range digests {
				if err := post(b.Context(), client, p.hook, notification(digest, registry.Host, "bench/fleet", fmt.Sprintf("v%d", i), digest)); err != nil {
					b.Fatal(err)
				}
			}
			p.awaitAll(b, digests)
			wall := time.Since(begun)
			quiet(b, p.worker)
			cpu := (p.processor(b) - before) / fleetImages
			reads := layerReads(b, registry, urls)
			what := fmt.Sprintf("fleet, %d images over %d bases, workers: %d, ", fleetImages, fleetBases, workers)
			results.add(row{what + "layers read", strconv.Itoa(reads), fmt.Sprintf("%d layers", len(urls)), fmt.Sprintf("%.2f", float64(reads)/float64(len(urls))), "1.00"})
			results.add(row{what + "CPU of all workers for an image", milliseconds(cpu), "", "", ""})
			results.add(row{what + "wall for all", seconds(wall), "", "", ""})
			b.ReportMetric(float64(reads)/float64(len(urls)), "reads/layer")
		})
	}
}

// pushFleet pushes the images; each has a layer of its own on a base of five
// layers, of which the bases share four.
func pushFleet(b *testing.B, registry *harness.Registry) (digests, urls []string) {
	b.Helper()
	debian, _ := debian(b, compressions()[0])
	known := map[string]bool{}
	for i := range fleetImages {
		base := fmt.Sprintf("base %d ", i%fleetBases)
		image := harness.Append(b, debian, harness.Files(b, map[string]string{"srv/base": strings.Repeat(base, 100_000)}), base)
		image = harness.Append(b, image, harness.Files(b, map[string]string{
			"srv/app/node_modules/app/package.json": fmt.Sprintf(`{"name":"app","version":"1.%d.0"}`, i),
		}), "COPY app")
		digests = append(digests, registry.Push(b, fmt.Sprintf("bench/fleet:v%d", i), image).String())
		for _, url := range blobs(b, registry, "bench/fleet", image) {
			if !known[url] {
				known[url], urls = true, append(urls, url)
			}
		}
	}
	return digests, urls
}

// processor is what all workers have used.
func (p *pipeline) processor(b *testing.B) time.Duration {
	b.Helper()
	used := takenBy(b, p.worker).CPU
	for _, w := range p.others {
		used += takenBy(b, w).CPU
	}
	return used
}

// awaitAll waits until the scans of all images are over.
func (p *pipeline) awaitAll(b *testing.B, digests []string) {
	b.Helper()
	open := map[string]bool{}
	for _, d := range digests {
		open[d] = true
	}
	for len(open) > 0 {
		kind, m := p.await(b, "", "scan.completed", "scan.failed")
		if kind == "scan.failed" {
			b.Fatalf("%s: %s", kind, m.Data)
		}
		for d := range open {
			if strings.Contains(string(m.Data), d) {
				delete(open, d)
			}
		}
	}
}
