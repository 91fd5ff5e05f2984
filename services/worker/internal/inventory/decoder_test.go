package inventory_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

const roomy = 1 << 20

func decoder(tb testing.TB, limit int) *inventory.Decoder {
	tb.Helper()
	d, err := inventory.NewDecoder(limit)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// odd is an image whose names try to look like the JSON around them.
func odd(random *rand.Rand) inventory.Image {
	pieces := []string{"a", `"`, `\`, `\"`, "{", "}", "]", ",", `"packages":[{`, "<&>", "\n", "é", "\u2028"}
	text := func() string {
		var b strings.Builder
		for range random.IntN(6) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	img := inventory.Image{
		Engine: text(), OS: verdict.OS{ID: text(), Name: text()}, Notes: []verdict.Note{{Code: "c", Message: text()}},
		Layers: []verdict.Layer{{Digest: text(), CreatedBy: text()}},
	}
	for range random.IntN(5) {
		img.Packages = append(img.Packages, inventory.Package{
			Type: "deb", Name: text(), Version: text(), Source: verdict.Source{Name: text()}, Licenses: []string{text()},
			Location: text(), Listed: &inventory.Listing{Comment: text()},
		})
	}
	return img
}

// However little room there is, and whatever was read before, a decoder reads
// what DecodeImage reads.
func TestDecoderReadsWhatDecodeImageReads(t *testing.T) {
	for _, limit := range []int{0, 4000, roomy} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			d, random := decoder(t, limit), rand.New(rand.NewPCG(1, 2))
			var readers sync.WaitGroup
			for range 500 {
				data, err := odd(random).Encode()
				if err != nil {
					t.Fatal(err)
				}
				readers.Go(func() {
					want, err := inventory.DecodeImage(data)
					if err != nil {
						t.Error(err)
					}
					got, err := d.Image(data)
					if diff := cmp.Diff(want, got); diff != "" || err != nil {
						t.Errorf("%v, image differs (-want +got):\n%s", err, diff)
					}
				})
			}
			readers.Wait()
		})
	}
}

// What DecodeImage refuses, or reads although Encode did not write it so, a
// decoder does too, also where it knows the packages.
func TestDecoderOfOtherTexts(t *testing.T) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(inventory.Image{Engine: "e", Packages: sample().Packages})
	if err != nil {
		t.Fatal(err)
	}
	known, d := string(text), decoder(t, roomy)
	if _, err := d.Image(enc.EncodeAll(text, nil)); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"", "{}", "[]", "null", known[:len(known)-1], known + "}", known[:len(known)/2],
		strings.Replace(known, `"packages":[`, `"packages": [`, 1),
		strings.Replace(known, `"packages":[`, `"packages":[ `, 1),
		strings.Replace(known, `"packages":[`, `"packages":[,`, 1),
		strings.Replace(known, `}],"notes"`, `},],"notes"`, 1),
		strings.Replace(known, `}],"notes"`, `};],"notes"`, 1),
		strings.Replace(known, `}],"notes"`, `},"notes"`, 1),
		strings.Replace(known, `"type"`, `"type`, 1),
		strings.Replace(known, `"deb"`, `7`, 1),
		`{"packages":[]}`, `{"packages":null}`, `{"packages":[`, `{"packages":[{`, `{"packages":[{"`,
	} {
		data := enc.EncodeAll([]byte(text), nil)
		want, wantErr := inventory.DecodeImage(data)
		got, err := d.Image(data)
		if diff := cmp.Diff(want, got); (err == nil) != (wantErr == nil) || err == nil && diff != "" {
			t.Errorf("%s\ngot %v, want %v; image differs (-want +got):\n%s", text, err, wantErr, diff)
		}
	}
	if _, err := d.Image([]byte("no zstd")); err == nil {
		t.Error("read what is not compressed")
	}
	if _, err := d.Image(make([]byte, inventory.MaxEncoded+1)); err == nil {
		t.Error("read what is too large")
	}
}

// BenchmarkDecode reads an image of 150 packages that were seen before.
func BenchmarkDecode(b *testing.B) {
	var img inventory.Image
	for i := range 150 {
		p := sample().Packages[0]
		p.Name, p.PURL = fmt.Sprintf("package%d", i), fmt.Sprintf("pkg:deb/debian/package%d@1%%3A2?arch=amd64&distro=debian-12", i)
		img.Packages = append(img.Packages, p)
	}
	data, err := img.Encode()
	if err != nil {
		b.Fatal(err)
	}
	for name, decode := range map[string]func([]byte) (inventory.Image, error){
		"each": inventory.DecodeImage, "shared": decoder(b, roomy).Image,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
