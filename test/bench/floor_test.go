package bench

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/test/harness"
)

const roleFloor = "floor"

// inFlight is how many layers are read at a time, as a worker does.
const inFlight = 2

// cost is what one reading of an image took.
type cost struct {
	CPU, Wall time.Duration
	Peak      int64 // bytes
	Written   int64 // bytes
}

// floor reads layers as everybody must who looks into them: fetch, verify,
// inflate, walk the entries. Its arguments are the blobs' addresses.
func floor(urls []string, out io.Writer) error {
	before, err := usageOf("self")
	if err != nil {
		return err
	}
	begun := time.Now()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: time.Minute}
	var group errgroup.Group
	group.SetLimit(inFlight)
	for _, url := range urls {
		group.Go(func() error { return walk(client, url) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	wall := time.Since(begun)
	after, err := usageOf("self")
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(cost{
		CPU: after.CPU - before.CPU, Wall: wall, Peak: after.Peak, Written: after.Written - before.Written,
	})
}

func walk(client *http.Client, url string) error {
	res, err := client.Get(url)
	if err != nil {
		return fmt.Errorf("fetch layer: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	hash := sha256.New()
	compressed := bufio.NewReaderSize(io.TeeReader(res.Body, hash), 64<<10)
	inflated, err := inflate(compressed)
	if err != nil {
		return err
	}
	entries := tar.NewReader(inflated)
	for {
		if _, err := entries.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("walk layer: %w", err)
		}
	}
	for _, rest := range []io.Reader{inflated, compressed} {
		if _, err := io.Copy(io.Discard, rest); err != nil {
			return fmt.Errorf("read layer to its end: %w", err)
		}
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); !strings.HasSuffix(url, sum) {
		return fmt.Errorf("%s has digest %s", url, sum)
	}
	return nil
}

func inflate(r *bufio.Reader) (io.Reader, error) {
	magic, err := r.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("read layer: %w", err)
	}
	if string(magic) == "\x28\xb5\x2f\xfd" {
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	}
	return gzip.NewReader(r)
}

// runFloor reads the blobs in a process of its own.
func runFloor(b *testing.B, urls []string) cost {
	b.Helper()
	result := harness.Run(b.Context(), b, harness.Command{Path: self(b), Args: urls, Env: []string{envRole + "=" + roleFloor}})
	if result.Code != 0 {
		b.Fatalf("floor: %s", result.Stderr)
	}
	var c cost
	if err := json.Unmarshal([]byte(result.Stdout), &c); err != nil {
		b.Fatal(err)
	}
	return c
}

// self is this binary.
func self(b *testing.B) string {
	b.Helper()
	path, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	return path
}
