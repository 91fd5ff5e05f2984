package advisory

import (
	"encoding/binary"
	"slices"
)

// Keys are hashes of package names as they are looked up, ordered, each once.
// Two names may share a hash: then one is taken for the other, which costs a
// comparison too many and never one too few.
type Keys []uint32

// Key is the hash of a package of a family.
func Key(family, name string) uint32 { return key(family + "\x00" + NormalName(family, name)) }

func key(full string) uint32 { return uint32(hashKey(full)) } //nolint:gosec // its lower half

// NewKeys orders keys.
func NewKeys(keys []uint32) Keys {
	slices.Sort(keys)
	return slices.Compact(keys)
}

// keysForm begins stored keys. It changes with how names are looked up: keys
// of another form tell nothing.
const keysForm = 1

// Pack writes the keys, four bytes each.
func (k Keys) Pack() []byte {
	packed := make([]byte, 0, 1+4*len(k))
	packed = append(packed, keysForm)
	for _, n := range k {
		packed = binary.BigEndian.AppendUint32(packed, n)
	}
	return packed
}

// missed tells whether packed keys are of this form and none of them is among k.
func (k Keys) missed(packed []byte) bool {
	if len(packed)%4 != 1 || packed[0] != keysForm {
		return false
	}
	for packed = packed[1:]; len(packed) > 0; packed = packed[4:] {
		if _, found := slices.BinarySearch(k, binary.BigEndian.Uint32(packed)); found {
			return false
		}
	}
	return true
}

// changesMagic begins an object that holds what differs between two databases.
const changesMagic = "LWCHNG01"

// EncodeChanges writes keys as an object.
func EncodeChanges(k Keys) []byte { return append([]byte(changesMagic), k.Pack()...) }

// DecodeChanges reads what EncodeChanges wrote.
func DecodeChanges(b []byte) (Keys, error) {
	n := len(changesMagic)
	if len(b) < n+1 || string(b[:n]) != changesMagic || b[n] != keysForm || len(b)%4 != (n+1)%4 {
		return nil, errDamaged
	}
	k := make(Keys, 0, len(b)/4)
	for b = b[n+1:]; len(b) > 0; b = b[4:] {
		k = append(k, binary.BigEndian.Uint32(b))
	}
	if !slices.IsSorted(k) {
		return nil, errDamaged
	}
	return k, nil
}
