package advisory_test

import (
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

// FuzzEPSS reads tables of scores: what is kept is a probability of a CVE.
func FuzzEPSS(f *testing.F) {
	f.Add("#model_version:v2025.03.14,score_date:2026-05-18T00:00:00Z\ncve,epss,percentile\nCVE-2024-0001,0.5,0.9\n")
	f.Add("CVE-2024-0001,NaN\nCVE-2024-0002,1,Inf\n\"CVE-2024-0003\",0x1p-2,-0\n")
	f.Fuzz(func(t *testing.T, text string) {
		for cve, s := range advisory.ParseEPSS(text) {
			if _, ok := advisory.CVE(cve); !ok || !(s[0] >= 0 && s[0] <= 1 && s[1] >= 0 && s[1] <= 1) {
				t.Errorf("%q has %v", cve, s)
			}
		}
	})
}

// FuzzKEV reads catalogues of known exploited vulnerabilities.
func FuzzKEV(f *testing.F) {
	f.Add([]byte(`{"dateReleased":"2026-05-18T00:00:00Z","vulnerabilities":[{"cveID":"CVE-2024-0001"},null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, date, err := advisory.ParseKEV(data)
		if err == nil && (len(entries) == 0 || len(date) > 4*40) {
			t.Errorf("%d entries of %q", len(entries), date)
		}
	})
}

// FuzzExport compiles what claims to be an ecosystem's zip. Whatever it holds:
// what is made of it can be opened.
func FuzzExport(f *testing.F) {
	whole := zipped(f, "A-1.json", npm("A-1", day, "x"), "A-2.json", "{", "deep/B.json", npm("B", day, "y")).Data
	f.Add(whole)
	f.Add(whole[:len(whole)-10])
	f.Add([]byte("PK\x05\x06" + string(make([]byte, 18))))
	path := filepath.Join(f.TempDir(), "advisories.db")
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := advisory.Compile(t.Context(), fstest.MapFS{"npm/all.zip": {Data: data}}, path, advisory.Options{}); err != nil {
			return
		}
		db, err := advisory.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
