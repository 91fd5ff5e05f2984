package layer_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer/layertest"
)

func packedZip(tb testing.TB, name, content string) string {
	tb.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	f, err := w.Create(name)
	if err == nil {
		_, err = f.Write([]byte(content))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return buf.String()
}

// hashes are a layer's fingerprints as path, SHA-256 and SHA-1.
func hashes(tb testing.TB, r *layer.Reader, entries ...layertest.Entry) (found []string, partial bool) {
	tb.Helper()
	blob := layertest.Gzip(tb, 1, layertest.Tar(tb, entries...))
	got, err := r.Read(tb.Context(), layertest.Digest(blob), bytes.NewReader(blob))
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range got.Fingerprints {
		found = append(found, strings.TrimSpace(f.Path+" "+hex.EncodeToString(f.SHA256)+" "+hex.EncodeToString(f.SHA1)))
	}
	if got.Partial && got.Notes[len(got.Notes)-1].Code != verdict.NoteLayerPartial {
		tb.Errorf("partial without a note: %v", got.Notes)
	}
	return found, got.Partial
}

func TestFingerprints(t *testing.T) {
	inner := packedZip(t, "META-INF/x", "inner")
	outer := packedZip(t, "lib/inner.jar", inner)
	const elf, script = "\x7fELF, but not much of one", "#!/bin/sh\necho mining\n"
	long := func(content string) string { sum := sha256.Sum256([]byte(content)); return hex.EncodeToString(sum[:]) }
	both := func(content string) string {
		sum := sha1.Sum([]byte(content))
		return long(content) + " " + hex.EncodeToString(sum[:])
	}
	entries := []layertest.Entry{
		{Name: "bin/old", Content: "first", Mode: 0o755},
		{Name: "bin/old", Content: script, Mode: 0o755},
		{Name: "bin/gone", Content: script, Mode: 0o755},
		{Name: "bin/gone"},
		{Name: "bin/link", Link: "bin/old"},
		{Name: "usr/lib/a.so", Content: elf},
		{Name: "usr/bin/a", Content: elf, Mode: 0o755},
		{Name: "opt/a.ear", Content: outer},
		{Name: "opt/a.zip", Content: "not a zip"},
		{Name: "empty", Mode: 0o755},
		{Name: "etc/passwd", Content: "root"},
		{Name: "app/node_modules/a/package.json", Content: `{"name":"a","version":"1"}`},
	}
	want := []string{
		"bin/old " + long(script), "opt/a.ear " + both(inner), "opt/a.ear " + both(outer), "opt/a.zip " + both("not a zip"),
		"usr/bin/a " + long(elf), "usr/lib/a.so " + long(elf),
	}
	on := func(l *layer.Limits) { *l = l.WithFingerprints() }
	got, partial := hashes(t, newReader(t, on), entries...)
	// An archive comes before those in it; their order is the file's own.
	if len(got) > 2 {
		got[1], got[2] = got[2], got[1]
	}
	if diff := cmp.Diff(want, got); diff != "" || partial {
		t.Errorf("partial %v, fingerprints differ (-want +got):\n%s", partial, diff)
	}
	if got, _ := hashes(t, newReader(t, nil), entries...); got != nil {
		t.Errorf("not asked for: got %v", got)
	}
	few := func(l *layer.Limits) { *l = l.WithFingerprints(); l.Hashed = 3 }
	if got, partial := hashes(t, newReader(t, few), entries...); len(got) > 3 || !partial {
		t.Errorf("limited: got %d, partial %v", len(got), partial)
	}
	// What is too large to be looked into is hashed all the same.
	tight := func(l *layer.Limits) { *l = l.WithFingerprints(); l.File = 10 }
	if got, partial := hashes(t, newReader(t, tight), entries[6]); len(got) != 1 || got[0] != want[4] || !partial {
		t.Errorf("too large: got %v, partial %v", got, partial)
	}
}

// TestFingerprintsAreInTheKey: an inventory without hashes must not be taken
// for one of a layer without programs.
func TestFingerprintsAreInTheKey(t *testing.T) {
	off, on := newReader(t, nil), newReader(t, func(l *layer.Limits) { *l = l.WithFingerprints() })
	if off.Engine() == on.Engine() {
		t.Error("the engine is the same with and without fingerprints")
	}
}
