package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// sample is a package's header as rpm keeps it.
func sample(p Package) []byte {
	var index, data []byte
	text := func(tag uint32, s string) {
		for _, n := range []uint32{tag, typeString, uint32(len(data)), 1} {
			index = binary.BigEndian.AppendUint32(index, n)
		}
		data = append(append(data, s...), 0)
	}
	text(tagName, p.Name)
	text(tagVersion, p.Version)
	text(tagRelease, p.Release)
	text(tagArch, p.Arch)
	text(tagSource, p.Source)
	header := binary.BigEndian.AppendUint32(nil, uint32(len(index)/entrySize))
	header = binary.BigEndian.AppendUint32(header, uint32(len(data)))
	return slices.Concat(header, index, data)
}

// ndb writes a database of the headers: an array of slots in pages, of which
// some are free, as are some of the blocks. Blobs lie in any order, each with
// its checksum behind it. rpm as Debian builds it has no writer of this format.
func ndb(random *rand.Rand, headers [][]byte) []byte {
	le := binary.LittleEndian
	slots := 2 + 2*len(headers) // with free ones
	pages := (slots*ndbBlock + ndbPage - 1) / ndbPage
	var db []byte
	db = append(db, bytes.Repeat([]byte{0}, pages*ndbPage)...)
	copy(db, ndbMagic)
	le.PutUint32(db[8:], 7) // generation
	le.PutUint32(db[12:], uint32(pages))
	le.PutUint32(db[16:], uint32(len(headers)+1))
	for at := 2 * ndbBlock; at < len(db); at += ndbBlock {
		copy(db[at:], ndbSlotMagic)
	}
	free := random.Perm(pages*ndbPage/ndbBlock - 2)
	for i, header := range headers {
		if random.IntN(3) == 0 { // what a removed package left
			db = append(db, make([]byte, ndbBlock*(1+random.IntN(4)))...)
		}
		index, start := uint32(i+1), len(db)
		db = append(db, ndbBlobMagic...)
		db = le.AppendUint32(db, index)
		db = le.AppendUint32(db, 7)
		db = le.AppendUint32(db, uint32(len(header)))
		db = append(db, header...)
		for (len(db)-start)%ndbBlock != ndbBlock-12 { // checksum, size and end mark fill the last block
			db = append(db, 0)
		}
		db = le.AppendUint32(db, adler32.Checksum(db[start:]))
		db = le.AppendUint32(db, uint32(len(header)))
		db = append(db, "BlbE"...)
		slot := db[(2+free[i])*ndbBlock:]
		le.PutUint32(slot[4:], index)
		le.PutUint32(slot[8:], uint32(start/ndbBlock))
		le.PutUint32(slot[12:], uint32((len(db)-start)/ndbBlock))
	}
	return db
}

func samples(n int) (pkgs []Package, headers [][]byte) {
	for i := range n {
		p := Package{Name: fmt.Sprintf("p%03d", i), Version: strings.Repeat("1", 1+i%40), Release: "1", Arch: "x86_64", Source: "s-1-1.src.rpm"}
		pkgs, headers = append(pkgs, p), append(headers, sample(p))
	}
	return pkgs, headers
}

// TestReadNDB reads databases of no package up to several pages of slots.
func TestReadNDB(t *testing.T) {
	for _, n := range []int{0, 1, 5, 126, 127, 128, 700} {
		want, headers := samples(n)
		got, err := Read(t.Context(), ndb(rand.New(rand.NewPCG(uint64(n), 3)), headers))
		if err != nil {
			t.Fatalf("%d packages: %v", n, err)
		}
		slices.SortFunc(got, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
		for i := range got {
			got[i].Files = nil
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%d packages: differ (-want +got):\n%.1000s", n, diff)
		}
	}
}

// What is damaged is told; a reader never takes a part for the whole.
func TestDamagedNDB(t *testing.T) {
	_, headers := samples(3)
	whole := ndb(rand.New(rand.NewPCG(1, 3)), headers)
	first := -1
	for at := 2 * ndbBlock; at < ndbPage; at += ndbBlock {
		if binary.LittleEndian.Uint32(whole[at+4:]) == 1 {
			first = at
		}
	}
	for name, damage := range map[string]func(db []byte) []byte{
		"cut":               func(db []byte) []byte { return db[:len(db)-ndbBlock*4] },
		"header alone":      func(db []byte) []byte { return db[:ndbBlock] },
		"no page":           func(db []byte) []byte { clear(db[12:16]); return db },
		"too many pages":    func(db []byte) []byte { db[13] = 0xff; return db },
		"slot without mark": func(db []byte) []byte { db[first] = 'x'; return db },
		"blob behind end":   func(db []byte) []byte { db[first+10] = 0xff; return db },
		"blob inside slots": func(db []byte) []byte { binary.LittleEndian.PutUint32(db[first+8:], 3); return db },
		"blob without size": func(db []byte) []byte {
			binary.LittleEndian.PutUint32(db[ndbBlock*int(binary.LittleEndian.Uint32(db[first+8:]))+12:], 0)
			return db
		},
		"blob is too long": func(db []byte) []byte {
			db[ndbBlock*int(binary.LittleEndian.Uint32(db[first+8:]))+15] = 0x7f
			return db
		},
		"two slots, one blob": func(db []byte) []byte {
			for at := 2 * ndbBlock; at < ndbPage; at += ndbBlock {
				if binary.LittleEndian.Uint32(db[at+4:]) == 2 {
					copy(db[at+8:at+12], db[first+8:first+12])
				}
			}
			return db
		},
	} {
		if _, err := Read(t.Context(), damage(slices.Clone(whole))); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzNDB(f *testing.F) {
	_, headers := samples(2)
	f.Add(ndb(rand.New(rand.NewPCG(2, 3)), headers))
	f.Fuzz(func(t *testing.T, data []byte) {
		pkgs, _ := Read(t.Context(), append([]byte(ndbMagic), data[min(len(ndbMagic), len(data)):]...))
		for _, p := range pkgs {
			if p.Name == "" {
				t.Error("a package without a name")
			}
		}
	})
}
