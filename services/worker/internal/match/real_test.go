package match_test

import (
	"archive/zip"
	"cmp"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// export gives the folder of real advisories, or skips.
func export(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("LANDWAITER_ADVISORIES")
	if dir == "" {
		tb.Skip("set LANDWAITER_ADVISORIES to a folder in OSV export layout (<ecosystem>/all.zip)")
	}
	return dir
}

func compileReal(tb testing.TB) *advisory.DB {
	tb.Helper()
	return compileFrom(tb, export(tb))
}

func compileFrom(tb testing.TB, dir string) *advisory.DB {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "advisories.db")
	info, err := advisory.Compile(tb.Context(), os.DirFS(dir), path, advisory.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	if info.SkippedTotal > 0 {
		tb.Errorf("skipped %d: %v", info.SkippedTotal, info.Skipped)
	}
	tb.Logf("%d records, %d packages, %d bytes, %d ranges skipped", info.Records, info.Packages, info.Size, info.RangesSkipped)
	db, err := advisory.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

type rawRecord struct {
	ID        string `json:"id"`
	Withdrawn string `json:"withdrawn"`
	Affected  []struct {
		Package struct{ Ecosystem, Name string } `json:"package"`
		Ranges  []struct {
			Type   string              `json:"type"`
			Events []map[string]string `json:"events"`
		} `json:"ranges"`
		Versions []string `json:"versions"`
		Specific struct {
			Module string `json:"rpm_modularity"`
		} `json:"ecosystem_specific"`
	} `json:"affected"`
}

func rawRecords(tb testing.TB) map[string]rawRecord {
	tb.Helper()
	return rawRecordsOf(tb, export(tb))
}

func rawRecordsOf(tb testing.TB, dir string) map[string]rawRecord {
	tb.Helper()
	zips, err := filepath.Glob(filepath.Join(dir, "*", "all.zip"))
	if err != nil {
		tb.Fatal(err)
	}
	records := map[string]rawRecord{}
	for _, path := range zips {
		z, err := zip.OpenReader(path)
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				tb.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				tb.Fatal(err)
			}
			var rec rawRecord
			if err := json.Unmarshal(data, &rec); err != nil {
				tb.Fatal(err)
			}
			records[rec.ID] = rec
		}
		_ = z.Close()
	}
	return records
}

// borders gives package versions worth asking: those the records name, and
// their neighbours.
func borders(records map[string]rawRecord) []inventory.Package {
	var out []inventory.Package
	for _, r := range records {
		for _, a := range r.Affected {
			var versions []string
			for _, g := range a.Ranges {
				if g.Type == "GIT" {
					continue
				}
				for _, e := range g.Events {
					for _, v := range e {
						versions = append(versions, v, v+".1")
					}
				}
			}
			if len(a.Versions) > 0 {
				versions = append(versions, a.Versions[0], a.Versions[len(a.Versions)/2], a.Versions[len(a.Versions)-1])
			}
			for _, v := range versions {
				out = append(out, inventory.Package{Name: a.Package.Name, Version: v, Ecosystem: a.Package.Ecosystem})
			}
		}
	}
	slices.SortFunc(out, func(a, b inventory.Package) int {
		return cmp.Or(strings.Compare(a.Ecosystem, b.Ecosystem), strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
	})
	return slices.CompactFunc(out, func(a, b inventory.Package) bool {
		return a.Ecosystem == b.Ecosystem && a.Name == b.Name && a.Version == b.Version
	})
}
