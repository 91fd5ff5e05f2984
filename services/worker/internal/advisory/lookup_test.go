package advisory_test

import (
	"hash/fnv"
	"math"
	"slices"
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

func TestTouched(t *testing.T) {
	t.Parallel()
	lookup := func(name, version string) advisory.Lookup {
		return advisory.LookupOf(advisory.Query{Ecosystem: "Debian:12", Name: name, Version: version})
	}
	zlib1, zlib2, bash := lookup("zlib", "1"), lookup("zlib", "2"), lookup("bash", "1")
	packed := advisory.NewLookups([]advisory.Lookup{zlib2, bash, zlib1, zlib2}).Pack()
	keys := func(names ...string) advisory.Keys {
		var list []uint32
		for _, n := range names {
			list = append(list, advisory.Key("Debian", n))
		}
		return advisory.NewKeys(list)
	}
	zlibs := []uint64{zlib1.Query, zlib2.Query}
	slices.Sort(zlibs)
	for _, tt := range []struct {
		name    string
		changed advisory.Keys
		packed  []byte
		want    []uint64
		known   bool
	}{
		{"each query of a name", keys("other", "zlib"), packed, zlibs, true},
		{"none", keys("other"), packed, nil, true},
		{"keys tell that none is", keys("other"), keys("zlib").Pack(), nil, true},
		{"keys tell no queries", keys("zlib"), keys("zlib").Pack(), nil, false},
		{"cut short", keys("other"), packed[:len(packed)-1], nil, false},
		{"of another form", keys("other"), append([]byte{9}, packed[1:]...), nil, false},
		{"nothing", keys("other"), nil, nil, false},
	} {
		got, known := tt.changed.Touched(tt.packed)
		slices.Sort(got)
		if known != tt.known || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, known %t; want %v, %t", tt.name, got, known, tt.want, tt.known)
		}
	}
}

// TestKeyStays: keys of images are stored, and compared with those of later
// databases.
func TestKeyStays(t *testing.T) {
	t.Parallel()
	h := fnv.New64a()
	_, _ = h.Write([]byte("PyPI\x00a-b"))
	if got, want := advisory.Key("PyPI", "A_b"), uint32(h.Sum64()&math.MaxUint32); got != want {
		t.Errorf("%x, want %x", got, want)
	}
}

// Where one field ends and the next begins makes another query.
func TestLookupsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[uint64]advisory.Query{}
	for _, q := range []advisory.Query{
		{Ecosystem: "npm", Name: "a", Version: "bc"},
		{Ecosystem: "npm", Name: "ab", Version: "c"},
		{Ecosystem: "npm", Name: "a", Version: "b", Module: "c"},
		{Ecosystem: "npm", Name: "a", Version: "b\x01c"},
		{Ecosystem: "npm", Name: "a", Version: "", Module: "bc"},
		{Ecosystem: "npma", Name: "", Version: "bc"},
	} {
		l := advisory.LookupOf(q)
		if other, taken := seen[l.Query]; taken {
			t.Errorf("%+v is taken for %+v", q, other)
		}
		seen[l.Query] = q
	}
}
