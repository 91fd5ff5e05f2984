package advisory

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"slices"
	"sort"
)

// lookup reads a key's block. Hashes may be equal by chance or by intent, so
// the key in the block decides.
func (db *DB) lookup(kind byte, key string) (d decoder, found bool, err error) {
	full := string(kind) + key
	hash := hashKey(full)
	keys := len(db.index) / entrySize
	for i := db.position(hash); i < keys; i++ {
		e := db.index[i*entrySize:]
		if binary.LittleEndian.Uint64(e) != hash {
			break
		}
		d, err := db.block(binary.LittleEndian.Uint64(e[8:]), binary.LittleEndian.Uint32(e[16:]))
		if err != nil {
			return decoder{}, false, err
		}
		if d.text() == full {
			return d, true, nil
		}
	}
	return decoder{}, false, nil
}

// position is where a hash is in the index, or would be. Hashes are spread
// evenly: it is near where its value says, and nearer to where the value says
// that is found there. The steps from there double.
func (db *DB) position(hash uint64) int {
	keys := len(db.index) / entrySize
	if keys == 0 {
		return 0
	}
	at := func(i int) uint64 { return binary.LittleEndian.Uint64(db.index[i*entrySize:]) }
	guess := share(keys, hash)
	if there := at(guess); there < hash {
		guess = min(guess+share(keys, hash-there), keys-1)
	} else {
		guess = max(guess-share(keys, there-hash), 0)
	}
	low, high := guess, guess
	for step := firstStep; low > 0 && at(low-1) >= hash; step *= 2 {
		high, low = low, max(0, low-step)
	}
	for step := firstStep; high < keys && at(high) < hash; step *= 2 {
		low, high = high+1, min(keys, high+step)
	}
	return low + sort.Search(high-low, func(i int) bool { return at(low+i) >= hash })
}

// firstStep is about a cache line of index entries.
const firstStep = 4

// share is how many of n evenly spread hashes lie in a distance.
func share(n int, distance uint64) int {
	part, _ := bits.Mul64(distance, uint64(n)) //nolint:gosec // a length
	return int(part)                           //nolint:gosec // below n
}

func (db *DB) block(offset uint64, length uint32) (decoder, error) {
	if length < 4 || offset > db.size || uint64(length) > db.size-offset {
		return decoder{}, errDamaged
	}
	buf, _ := db.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	defer db.buffers.Put(buf)
	*buf = slices.Grow((*buf)[:0], int(length))
	b := (*buf)[:length]
	if _, err := db.file.ReadAt(b, int64(offset)); err != nil { //nolint:gosec // below the size
		return decoder{}, fmt.Errorf("read advisory database: %w", err)
	}
	if crc32.Checksum(b[4:], crcTable()) != binary.LittleEndian.Uint32(b) {
		return decoder{}, fmt.Errorf("%w: wrong checksum", errDamaged)
	}
	return decoder{b: string(b[4:])}, nil
}
