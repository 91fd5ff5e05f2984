package advisory_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

func export(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("LANDWAITER_ADVISORIES")
	if dir == "" {
		tb.Skip("set LANDWAITER_ADVISORIES to a folder in OSV export layout (<ecosystem>/all.zip)")
	}
	return dir
}

func BenchmarkCompile(b *testing.B) {
	source, path := os.DirFS(export(b)), filepath.Join(b.TempDir(), "advisories.db")
	for b.Loop() {
		info, err := advisory.Compile(b.Context(), source, path, advisory.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Records), "records")
		b.ReportMetric(float64(info.Size), "bytes")
	}
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "advisories.db")
	if _, err := advisory.Compile(b.Context(), os.DirFS(export(b)), path, advisory.Options{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		db, err := advisory.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
