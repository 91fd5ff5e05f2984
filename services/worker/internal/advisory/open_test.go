package advisory_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

func small(tb testing.TB) []byte {
	tb.Helper()
	_, _, path := compile(tb, fstest.MapFS{"npm/all.zip": zipped(tb, "A-1.json", npm("A-1", day, "x",
		`"aliases":["CVE-2024-0001"]`, `"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]`))}, advisory.Options{})
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// probe opens bytes as a database and looks everything up in it.
func probe(data []byte) error {
	db, err := advisory.OpenBytes(data)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // only read
	db.Covers("npm")
	list, err := db.Affected("npm", "x")
	if err != nil {
		return err
	}
	installed := advisory.NewInstalled("npm", "1.0.0")
	for _, s := range list {
		for a, err := range s.About(installed) {
			if err != nil {
				return err
			}
			a.Holding(installed)
		}
	}
	if _, _, err := db.Record("A-1"); err != nil {
		return err
	}
	_, _, err = db.Flaw("CVE-2024-0001")
	return err
}

func TestOpenDamagedFile(t *testing.T) {
	whole := small(t)
	if err := probe(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := probe(whole[:n]); err == nil {
			t.Fatalf("no error for the first %d of %d bytes", n, len(whole))
		}
	}
	for i := range whole {
		if i < 8 {
			continue // the magic in front is for people
		}
		damaged := append([]byte(nil), whole...)
		damaged[i] ^= 0x41
		if err := probe(damaged); err == nil {
			t.Errorf("no error for byte %d changed", i)
		}
	}
	if _, err := advisory.Open(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error for a missing file")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(small(f))
	f.Add([]byte("LWADVDB3"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_ = probe(data)
		advisory.Decode(data)
	})
}

func FuzzDecodeChanges(f *testing.F) {
	f.Add(advisory.EncodeChanges(advisory.NewKeys([]uint32{3, 1, 2, 3})))
	f.Add([]byte("LWCHNG01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := advisory.DecodeChanges(data)
		if err != nil {
			return
		}
		for _, k := range keys {
			if _, known := keys.Touched((advisory.Keys{k}).Pack()); known {
				t.Errorf("%d of %v is not found", k, keys)
			}
		}
		keys.Touched(data)
	})
}
