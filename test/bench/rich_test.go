package bench

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/landwaiter/landwaiter/test/harness"
)

const (
	// largeCopies is how often the largest image has the rich one's layers.
	largeCopies = 10
	richRounds  = 3
)

// BenchmarkRich reads an image of about a gigabyte with software of many kinds,
// its twin in zstd, and one of ten gigabytes.
func BenchmarkRich(b *testing.B) {
	rich := harness.Rich(b)
	registry := harness.StartRegistry(b, harness.RegistryOptions{})
	for _, tt := range []struct {
		name, budget string
		rounds       int
		image        func(*testing.B, harness.Layered) v1.Image
	}{
		{"1 GB, gzip", "CPU <= 1.15", richRounds, func(b *testing.B, l harness.Layered) v1.Image { b.Helper(); return l.Image(b) }},
		{"1 GB, zstd", "CPU <= 1.3", richRounds, zstdTwin},
		{"10 GB, gzip", "CPU <= 1.15", 1, manyTimes},
	} {
		b.Run(tt.name, func(b *testing.B) {
			whole(b)
			repository := "bench/rich-" + tt.name[:1] + tt.name[len(tt.name)-4:]
			image := tt.image(b, rich)
			digest := registry.Push(b, repository+":1", image).String()
			urls := blobs(b, registry, repository, image)
			var ours, least []cost
			for range tt.rounds {
				least = append(least, runFloor(b, urls))
				ours = append(ours, scan(b, registry, repository, digest))
			}
			compared(b, fmt.Sprintf("cold scan, rich image, %s, %d layers: ", tt.name, len(urls)), tt.budget, ours, least)
			if tt.rounds > 1 {
				peers(b, tt.name, registry.Host+"/"+repository+":1", ours)
			}
		})
	}
}

// compared adds the rows of a scan beside its floor.
func compared(b *testing.B, what, budget string, ours, least []cost) {
	b.Helper()
	cpu, cpuLeast := median(each(ours, func(c cost) time.Duration { return c.CPU })), median(each(least, func(c cost) time.Duration { return c.CPU }))
	wall, wallLeast := median(each(ours, func(c cost) time.Duration { return c.Wall })), median(each(least, func(c cost) time.Duration { return c.Wall }))
	peak, peakLeast := median(each(ours, func(c cost) int64 { return c.Peak })), median(each(least, func(c cost) int64 { return c.Peak }))
	results.add(row{what + "CPU", seconds(cpu), seconds(cpuLeast) + " floor", ratio(cpu, cpuLeast), budget})
	results.add(row{what + "wall, from the webhook on", seconds(wall), seconds(wallLeast) + " floor", ratio(wall, wallLeast), ""})
	results.add(row{what + "peak memory of the process", mebibytes(peak), mebibytes(peakLeast) + " floor", ratio(peak, peakLeast), "<= 160 MiB"})
	results.add(row{what + "written to disk", mebibytes(median(each(ours, func(c cost) int64 { return c.Written }))), "", "", "0"})
	b.ReportMetric(float64(cpu)/float64(cpuLeast), "cpu/floor")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
}

// zstdTwin has the same layers packed with zstd.
func zstdTwin(b *testing.B, l harness.Layered) v1.Image {
	b.Helper()
	image := base(b)
	for _, layer := range l.Layers {
		var packed bytes.Buffer
		if err := repack(layer.File, &packed); err != nil {
			b.Fatal(err)
		}
		image = harness.Append(b, image, static.NewLayer(packed.Bytes(), types.OCILayerZStd), layer.CreatedBy)
	}
	return image
}

func repack(from string, to io.Writer) (err error) {
	file, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("open layer: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	plain, err := kgzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("read layer: %w", err)
	}
	out, err := zstd.NewWriter(to, zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		return fmt.Errorf("pack layer: %w", err)
	}
	if _, err := io.Copy(out, plain); err != nil {
		return fmt.Errorf("pack layer: %w", err)
	}
	return out.Close()
}

// manyTimes has each layer several times, each time with one more file before
// the others: a gzip file may have many members, so nothing is packed again,
// and the registry alone keeps the copies.
func manyTimes(b *testing.B, l harness.Layered) v1.Image {
	b.Helper()
	image := base(b)
	for i := range largeCopies {
		for _, layer := range l.Layers {
			image = harness.Append(b, image, again(b, member(b, i), layer.File), layer.CreatedBy)
		}
	}
	return image
}

// copied is a layer that begins with head and goes on with a file.
type copied struct {
	head   []byte
	file   string
	digest v1.Hash
	size   int64
}

func again(b *testing.B, head []byte, file string) v1.Layer {
	b.Helper()
	c := copied{head: head, file: file}
	content, err := c.Compressed()
	if err != nil {
		b.Fatal(err)
	}
	c.digest, c.size, err = v1.SHA256(content)
	if err := errors.Join(err, content.Close()); err != nil {
		b.Fatal(err)
	}
	return c
}

func (c copied) Compressed() (io.ReadCloser, error) {
	file, err := os.Open(c.file)
	if err != nil {
		return nil, fmt.Errorf("open layer: %w", err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(c.head), file), file}, nil
}

func (c copied) Digest() (v1.Hash, error)             { return c.digest, nil }
func (c copied) DiffID() (v1.Hash, error)             { return c.digest, nil } // a claim nobody checks
func (c copied) Uncompressed() (io.ReadCloser, error) { return c.Compressed() }
func (c copied) Size() (int64, error)                 { return c.size, nil }
func (c copied) MediaType() (types.MediaType, error)  { return types.OCILayer, nil }

// member is a file of an archive that goes on behind it.
func member(b *testing.B, i int) []byte {
	b.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	out := tar.NewWriter(w)
	text := fmt.Sprintf("copy %d", i)
	err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "srv/copy", Mode: 0o644, Size: int64(len(text))})
	if err == nil {
		_, err = io.WriteString(out, text)
	}
	if err := errors.Join(err, out.Flush(), w.Close()); err != nil { // no end of the archive
		b.Fatal(err)
	}
	return buf.Bytes()
}

// peers has other scanners list what is in the image, where they are installed.
func peers(b *testing.B, name, ref string, ours []cost) {
	b.Helper()
	for program, args := range map[string][]string{
		"trivy": {"image", "--insecure", "--quiet", "--format", "cyclonedx", "--offline-scan", "--skip-db-update", "--skip-java-db-update", "--cache-dir", b.TempDir(), ref},
		"syft":  {"scan", "--quiet", "-o", "json", "registry:" + ref},
	} {
		what := "rich image, " + name + ", inventory by " + program + ": CPU"
		path, err := exec.LookPath(program)
		if err != nil {
			results.add(row{what, "", "not installed", "", ""})
			continue
		}
		cmd := exec.CommandContext(b.Context(), path, args...)
		cmd.Env = append(os.Environ(), "SYFT_REGISTRY_INSECURE_USE_HTTP=true")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Logf("%s: %v: %.500s", program, err, out)
			results.add(row{what, "", "failed", "", ""})
			continue
		}
		theirs := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		cpu := median(each(ours, func(c cost) time.Duration { return c.CPU }))
		results.add(row{what, seconds(cpu), seconds(theirs) + " " + program, ratio(cpu, theirs), ""})
	}
}
