package advisory_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

// TestPosition looks hashes up that are spread evenly, as those of keys are, and
// some that somebody chose.
func TestPosition(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	drawn := func(n int, most uint64) []uint64 {
		list := make([]uint64, n)
		for i := range list {
			list[i] = random.Uint64N(most)
		}
		return list
	}
	for name, hashes := range map[string][]uint64{
		"none":      nil,
		"one":       {7},
		"ends":      {0, 0, math.MaxUint64, math.MaxUint64},
		"equal":     slices.Repeat([]uint64{1 << 63}, 1000),
		"even":      drawn(10_000, math.MaxUint64),
		"low":       drawn(1000, 3000),
		"repeated":  append(drawn(500, math.MaxUint64), slices.Repeat([]uint64{1 << 40}, 500)...),
		"two heaps": append(drawn(500, 1<<20), math.MaxUint64-1, math.MaxUint64-2),
	} {
		slices.Sort(hashes)
		var index []byte
		for _, h := range hashes {
			index = append(binary.LittleEndian.AppendUint64(index, h), make([]byte, advisory.EntrySize-8)...)
		}
		asked := []uint64{0, 1, math.MaxUint64}
		for _, h := range hashes {
			asked = append(asked, h-1, h, h+1)
		}
		for _, h := range asked {
			want, _ := slices.BinarySearch(hashes, h)
			if got := advisory.Position(index, h); got != want {
				t.Fatalf("%s: %d is at %d, want %d", name, h, got, want)
			}
		}
	}
}
