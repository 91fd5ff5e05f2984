package advisory

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Lookup is what a package of an image is looked up by, as hashes: of its name,
// as [Key] has it, and of the whole query, the version included. The second is
// cut from SHA-256: of queries that share it one is taken for the other, so
// nobody must find one to another's.
type Lookup struct {
	Key   uint32
	Query uint64
}

// LookupOf hashes a query whose ecosystem is canonical.
func LookupOf(q Query) Lookup {
	const usual = 100 // bytes
	text := make([]byte, 0, usual)
	for _, s := range [...]string{q.Ecosystem, q.Name, q.Version, q.Module} {
		text = append(binary.AppendUvarint(text, uint64(len(s))), s...)
	}
	sum := sha256.Sum256(text)
	return Lookup{Key(Family(q.Ecosystem), q.Name), binary.BigEndian.Uint64(sum[:])}
}

// Lookups are those of an image, ordered, each once.
type Lookups []Lookup

// NewLookups orders lookups.
func NewLookups(list []Lookup) Lookups {
	slices.SortFunc(list, func(a, b Lookup) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Query, b.Query)) })
	return slices.Compact(list)
}

// lookupsForm begins stored lookups, as keysForm begins stored keys: those of
// images were once their keys alone. It changes with how packages are looked
// up.
const lookupsForm = 2

// lookupSize is how many bytes one takes.
const lookupSize = 12

// Pack writes the lookups.
func (l Lookups) Pack() []byte {
	packed := make([]byte, 0, 1+lookupSize*len(l))
	packed = append(packed, lookupsForm)
	for _, n := range l {
		packed = binary.BigEndian.AppendUint32(packed, n.Key)
		packed = binary.BigEndian.AppendUint64(packed, n.Query)
	}
	return packed
}

// Touched lists which queries of packed lookups are about names among k. It is
// not known where it may be any: keys tell no queries, and what is not packed
// as this version does tells nothing.
func (k Keys) Touched(packed []byte) (queries []uint64, known bool) {
	if len(packed) == 0 || packed[0] != lookupsForm {
		return nil, k.missed(packed)
	}
	packed = packed[1:]
	if len(packed)%lookupSize != 0 {
		return nil, false
	}
	for ; len(packed) > 0; packed = packed[lookupSize:] {
		if _, found := slices.BinarySearch(k, binary.BigEndian.Uint32(packed)); found {
			queries = append(queries, binary.BigEndian.Uint64(packed[4:]))
		}
	}
	return queries, true
}
