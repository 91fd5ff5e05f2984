package match_test

import (
	"archive/zip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

const (
	// envDatabase names a database file and makes this binary a process that
	// opens it, compares images with it and tells what that took.
	envDatabase = "LANDWAITER_BENCH_DATABASE"
	advised     = 40_000 // packages of Debian 12 that the generated records are about
)

// many is an export of so many records.
func many(tb testing.TB, records int) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "Debian"), 0o750); err != nil {
		tb.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "Debian", "all.zip"))
	if err != nil {
		tb.Fatal(err)
	}
	z := zip.NewWriter(file)
	for i := 0; i < records && err == nil; i++ {
		w, createErr := z.Create(fmt.Sprintf("DEBIAN-CVE-%d-%d.json", 2000+i%25, i))
		if err = createErr; err != nil {
			break
		}
		_, err = fmt.Fprintf(w, `{"id":"DEBIAN-CVE-%d-%d","modified":"2026-01-01T00:00:00Z","upstream":["CVE-%d-%d"],`+
			`"details":"A buffer overflow in the parser lets whoever sends a crafted file run code of their own.",`+
			`"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H"}],`+
			`"affected":[{"package":{"ecosystem":"Debian:12","name":"source%d"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1:%d.%d-1"}]}]},`+
			`{"package":{"ecosystem":"Debian:13","name":"source%d"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}`,
			2000+i%25, i, 2000+i%25, i, i%advised, i%7, i%11, i%advised)
	}
	if err := errors.Join(err, z.Close(), file.Close()); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// BenchmarkLoad makes a database of LANDWAITER_BENCH_RECORDS records (500,000
// without it) and has a process of its own open it and compare a thousand
// packages, which it sees for the first time, and the same again. Times are of the
// processor, of the whole process.
func BenchmarkLoad(b *testing.B) {
	records := 500_000
	if n, err := strconv.Atoi(os.Getenv("LANDWAITER_BENCH_RECORDS")); err == nil {
		records = n
	}
	path := filepath.Join(b.TempDir(), "advisories.db")
	info, err := advisory.Compile(b.Context(), os.DirFS(many(b, records)), path, advisory.Options{})
	if err != nil || info.Records != records {
		b.Fatalf("%d records, skipped %v, %v", info.Records, info.Skipped, err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		child := exec.CommandContext(b.Context(), self, "-test.run", "^TestLoaded$", "-test.v")
		child.Env = append(os.Environ(), envDatabase+"="+path)
		out, err := child.CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			name, value, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "loaded "), "=")
			if n, err := strconv.ParseFloat(value, 64); found && err == nil {
				b.ReportMetric(n, name)
			}
		}
	}
	b.ReportMetric(float64(info.Records), "records")
	b.ReportMetric(float64(info.Size)/(1<<20), "file-MiB")
}

// TestLoaded is what the process does.
func TestLoaded(t *testing.T) {
	path := os.Getenv(envDatabase)
	if path == "" {
		t.Skip("a part of BenchmarkLoad")
	}
	before, begun := resident(t), used(t)
	db, err := advisory.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	tell := func(name string, value float64) { fmt.Printf("loaded %s=%g\n", name, value) }
	tell("open-ms", milliseconds(used(t)-begun))
	tell("open-MiB", float64(resident(t)-before)/(1<<20))
	// Most flaws are fixed in what is installed: about two in three packages have
	// one left.
	img := inventory.Image{Layers: []verdict.Layer{{Digest: "sha256:a"}}}
	for i := range 1000 {
		name := fmt.Sprintf("source%d", 37*i%(advised+advised/4)) // of a fifth nothing is known
		img.Packages = append(img.Packages, inventory.Package{
			Type: "deb", Name: name, Version: "1:6.5-1", Ecosystem: "Debian:12", PURL: "pkg:deb/debian/" + name + "@1%3A6.5-1",
		})
	}
	for _, turn := range []struct {
		when  string
		times int
	}{{"first", 1}, {"again", 50}} {
		begun := used(t)
		for range turn.times {
			findings, notes := match.Match(db, img)
			if len(findings) == 0 || len(notes) > 0 {
				t.Fatalf("%d findings, notes %+v", len(findings), notes)
			}
		}
		tell(turn.when+"-ms/1000pkg", milliseconds(used(t)-begun)/float64(turn.times))
	}
	findings, _ := match.Match(db, img)
	tell("findings", float64(len(findings)))
	tell("process-MiB", float64(resident(t))/(1<<20))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// used is the processor time this process has used.
func used(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// resident is how many bytes this process had resident at most.
func resident(tb testing.TB) int64 {
	tb.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Skip(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return kib << 10
}
