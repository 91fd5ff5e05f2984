package advisory_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

func TestFeeds(t *testing.T) {
	dir := t.TempDir()
	kev, epss := filepath.Join(dir, "kev.json"), filepath.Join(dir, "epss.csv.gz")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("#model_version:v2023.03.01,score_date:2024-10-15T00:00:00+0000\ncve,epss,percentile\n" +
		"CVE-2024-0001,0.5,0.9\nCVE-2024-0002,7,0.9\nCVE-2024-0003,NaN,0.9\nCVE-2024-0004,0.25\nCVE-2024-9999,0.1,0.1\n"))
	_ = z.Close()
	for path, data := range map[string][]byte{kev: []byte(`{"vulnerabilities":[{"cveID":"CVE-2024-0001"}]}`), epss: packed.Bytes()} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	source := fstest.MapFS{"npm/all.zip": zipped(t, "A-1.json", npm("A-1", day, "x",
		`"aliases":["CVE-2024-0001","CVE-2024-0002","CVE-2024-0003","CVE-2024-0004"]`))}
	info, db, _ := compile(t, source, advisory.Options{KEV: kev, EPSS: epss})
	if got := db.EPSSDate(); got != "2024-10-15" {
		t.Errorf("date = %q", got)
	}
	for cve, want := range map[string]advisory.Flaw{
		"CVE-2024-0001": {KEV: true, HasEPSS: true, EPSS: 0.5, Percentile: 0.9},
		"CVE-2024-0002": {}, "CVE-2024-0003": {}, "CVE-2024-9999": {},
		"CVE-2024-0004": {HasEPSS: true, EPSS: 0.25},
	} {
		got, _, err := db.Flaw(cve)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", cve, diff)
		}
	}
	without, _, _ := compile(t, source, advisory.Options{})
	if without.Version == info.Version {
		t.Error("same version with and without feeds")
	}
}
