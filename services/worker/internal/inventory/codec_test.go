package inventory_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

func sample() inventory.Layer {
	return inventory.Layer{
		Digest: "sha256:ab", Size: 1, Uncompressed: 2, Engine: "e1", Partial: true,
		Notes:     []verdict.Note{{Code: verdict.NoteLayerPartial, Message: "<&>", Layer: "sha256:ab"}},
		Releases:  []inventory.Release{{Path: "etc/os-release", Content: "ID=x\n"}},
		Databases: []string{"var/lib/dpkg/status"},
		Packages: []inventory.Package{{
			Type: "deb", Name: "a", Version: "1:2", Arch: "amd64", Source: verdict.Source{Name: "s", Version: "2"},
			Licenses: []string{"MIT"}, Evidence: inventory.Record, Location: "var/lib/dpkg/status",
		}},
		Owners:       []inventory.Owner{{Package: "a", Location: "l", Files: inventory.NewHashes([]uint64{3, 1, 3, 1 << 63})}},
		Fingerprints: []inventory.Fingerprint{{Path: "p", SHA256: []byte("abc"), SHA1: []byte{0, 255}}},
		Whiteouts:    []string{"x"}, Opaques: []string{""}, Links: []inventory.Link{{Path: "p", Target: "t"}},
		Paths: inventory.NewHashes([]uint64{inventory.Hash("a"), inventory.Hash("b")}),
		Dirs:  inventory.NewHashes([]uint64{inventory.Hash("d")}),
	}
}

func TestLayerRoundTrip(t *testing.T) {
	want := sample()
	data, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := inventory.DecodeLayer(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layer differs (-want +got):\n%s", diff)
	}
	again, err := got.Encode()
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("encoded again to other bytes (%v)", err)
	}
}

func TestImageRoundTrip(t *testing.T) {
	want := inventory.Image{
		Engine: "e1", OS: verdict.OS{ID: "debian"}, Layers: []verdict.Layer{{Index: 0, Digest: "d"}},
		Packages: sample().Packages, Notes: []verdict.Note{},
	}
	data, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := inventory.DecodeImage(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("image differs (-want +got):\n%s", diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	pack := func(text []byte) []byte { return enc.EncodeAll(text, nil) }
	tests := []struct {
		name string
		data []byte
		want error // nil: any
	}{
		{"nothing", nil, nil},
		{"plain text", []byte("{}"), nil},
		{"other JSON", pack([]byte("[]")), nil},
		{"cut", pack([]byte(`{"digest":"x"}`))[:8], nil},
		{"unsorted hashes", pack([]byte(`{"paths":"AAAAAAAAAAIAAAAAAAAAAQ=="}`)), nil},
		{"half a hash", pack([]byte(`{"paths":"AAAA"}`)), nil},
		{"sets cut short", pack([]byte("{}\n\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00")), nil},
		{"sets without end", pack([]byte("{}\n\xff\xff\xff\xff\xff\xff\xff\xff")), nil},
		{"unsorted sets", pack([]byte("{}\n\x00\x00\x00\x00\x00\x00\x00\x02" + "bbbbbbbb" + "aaaaaaaa" + "\x00\x00\x00\x00\x00\x00\x00\x00")), nil},
		{"more behind", pack(append([]byte("{}\n"), make([]byte, 17)...)), nil},
		{"too large", make([]byte, inventory.MaxEncoded+1), inventory.ErrTooLarge},
		{"too large unpacked", pack(make([]byte, inventory.MaxDecoded+1)), inventory.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := inventory.DecodeLayer(tt.data)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// Inventories of the first format have the sets in the JSON.
func TestDecodeFirstFormat(t *testing.T) {
	want := sample()
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := inventory.DecodeLayer(enc.EncodeAll(text, nil))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layer differs (-want +got):\n%s", diff)
	}
}

// A layer of as many files as a reader looks at, in more than one page.
func TestManyPaths(t *testing.T) {
	hashes := make([]uint64, 100_000)
	for i := range hashes {
		hashes[i] = uint64(i) << 40
	}
	want := inventory.Layer{Digest: "d", Paths: hashes, Dirs: hashes[:4096]}
	data, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := inventory.DecodeLayer(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layer differs (-want +got):\n%s", diff)
	}
}

func TestHashes(t *testing.T) {
	set := inventory.NewHashes([]uint64{inventory.Hash("b"), inventory.Hash("a"), inventory.Hash("b")})
	if len(set) != 2 || !set.Has("a") || !set.Has("b") || set.Has("c") || inventory.Hashes(nil).Has("a") {
		t.Errorf("got %v", set)
	}
}

func FuzzDecodeLayer(f *testing.F) {
	data, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, false)
	f.Add([]byte("{\"digest\":\"d\"}\n\x00\x00\x00\x00\x00\x00\x00\x01aaaaaaaa\x00\x00\x00\x00\x00\x00\x00\x00"), true)
	f.Add([]byte(`{"paths":"AAAAAAAAAAIAAAAAAAAAAw=="}`), true)
	f.Fuzz(func(t *testing.T, data []byte, pack bool) {
		if pack {
			data = packed(t, data)
		}
		l, err := inventory.DecodeLayer(data)
		if err != nil {
			return
		}
		if _, err := l.Encode(); err != nil {
			t.Errorf("decoded, but not encoded: %v", err)
		}
	})
}

// packed is what the store holds of a text: with it the fuzzer reaches what is
// behind the checksums.
func packed(tb testing.TB, text []byte) []byte {
	tb.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		tb.Fatal(err)
	}
	return enc.EncodeAll(text, nil)
}

func FuzzDecodeImage(f *testing.F) {
	text, err := json.Marshal(inventory.Image{
		Engine: "e1", OS: verdict.OS{ID: "debian"}, Layers: []verdict.Layer{{Index: 0, Digest: "d"}}, Packages: sample().Packages,
		Notes: []verdict.Note{{Code: verdict.NoteLayerPartial}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, true)
	f.Add(packed(f, text), false)
	f.Fuzz(func(t *testing.T, data []byte, pack bool) {
		if pack {
			data = packed(t, data)
		}
		i, err := inventory.DecodeImage(data)
		if err != nil {
			return
		}
		again, err := i.Encode()
		if err != nil {
			t.Fatalf("decoded, but not encoded: %v", err)
		}
		same, err := inventory.DecodeImage(again)
		if err != nil {
			t.Fatalf("encoded, but not decoded: %v", err)
		}
		if diff := cmp.Diff(i, same, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("image differs (-want +got):\n%s", diff)
		}
	})
}
