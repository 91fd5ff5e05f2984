package layer_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer/layertest"
)

// generated is a layer of 96 MB of text-like files.
func generated(tb testing.TB) []byte {
	tb.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	words := make([]byte, 1<<20)
	for i := range words {
		words[i] = "etaoin shrdlu\n_;(){}=.0123"[random.IntN(26)]
	}
	entries := []layertest.Entry{{Name: "var/lib/dpkg/status", Content: status}}
	for i := range 3000 {
		at := random.IntN(len(words) - 32<<10)
		entries = append(entries, layertest.Entry{Name: fmt.Sprintf("usr/share/doc/%d", i), Content: string(words[at:][:32<<10])})
	}
	return layertest.Gzip(tb, 6, layertest.Tar(tb, entries...))
}

// floor does no more than what cannot be avoided.
func floor(blob []byte) (int64, error) {
	sum := sha256.New()
	zr, err := gzip.NewReader(io.TeeReader(bytes.NewReader(blob), sum))
	if err != nil {
		return 0, err
	}
	counted := &counter{r: zr}
	for tr := tar.NewReader(counted); ; {
		if _, err := tr.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, err
		}
	}
	_, err = io.Copy(io.Discard, counted)
	return counted.n, err
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// BenchmarkRead reads one layer, turn by turn with the floor, and reports
// uncompressed MB/s and how many times the floor's time it takes.
func BenchmarkRead(b *testing.B) { benchmarkRead(b, nil) }

// BenchmarkReadHashed does the same with fingerprints, whose cost depends on
// how much of the layer is programs and archives.
func BenchmarkReadHashed(b *testing.B) {
	benchmarkRead(b, func(l *layer.Limits) { *l = l.WithFingerprints() })
}

func benchmarkRead(b *testing.B, change func(*layer.Limits)) {
	b.Helper()
	var blob []byte
	if os.Getenv("LANDWAITER_ROOTFS_LAYER") != "" {
		blob, _ = rootfs(b)
	} else {
		blob = generated(b)
	}
	digest := layertest.Digest(blob)
	r := newReader(b, change)
	var size int64
	var least, ours time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		n, err := floor(blob)
		if err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if _, err := r.Read(b.Context(), digest, bytes.NewReader(blob)); err != nil {
			b.Fatal(err)
		}
		size, least, ours = size+n, least+middle.Sub(start), ours+time.Since(middle)
	}
	b.ReportMetric(float64(size)/1e6/ours.Seconds(), "MB/s")
	b.ReportMetric(float64(size)/1e6/least.Seconds(), "floor-MB/s")
	b.ReportMetric(ours.Seconds()/least.Seconds(), "x-floor")
}
