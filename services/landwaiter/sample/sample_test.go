package sample_test

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"testing"

	"github.com/landwaiter/landwaiter/services/landwaiter/sample"
)

// The set is in everybody's binary.
func TestSampleIsSmall(t *testing.T) {
	const most = 400 << 10
	zips, err := fs.Glob(sample.Files(), "*/all.zip")
	if err != nil || len(zips) == 0 {
		t.Fatalf("%v, %v", zips, err)
	}
	sum := 0
	for _, name := range zips {
		raw, err := fs.ReadFile(sample.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		sum += len(raw)
		if z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw))); err != nil || len(z.File) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if sum > most {
		t.Errorf("%d bytes, more than %d", sum, most)
	}
}
