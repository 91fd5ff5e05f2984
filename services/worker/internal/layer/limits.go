package layer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
)

// Limits bound what reading one layer may cost. What lies behind a limit is not
// seen, and the inventory says so; a zero limit lets nothing through.
type Limits struct {
	Compressed   int64 // bytes of the blob; beyond it reading fails, since the digest cannot be verified
	Uncompressed int64 // bytes after decompression
	Ratio        int64 // uncompressed bytes per compressed byte, looked at beyond RatioFrom
	RatioFrom    int64 // uncompressed bytes
	Entries      int   // entries of the archive
	PathLength   int   // bytes
	File         int64 // bytes of one file held in memory
	Buffered     int64 // bytes of files held in memory at one moment by all layers a Reader reads
	Names        int64 // bytes of the paths kept as text: whiteouts, opaque directories, hard links
	Packages     int   // packages found
	Fingerprints int   // files hashed; 0, the default: none is, which costs nothing
	Archives     extract.Limits
}

// WithFingerprints is the limits with the hashing of programs and archives
// asked for. A distribution has some thousand of them, 100 bytes each when
// stored. A layer that is nearly all programs takes a fifth longer to read.
func (l Limits) WithFingerprints() Limits {
	l.Fingerprints, l.Archives.Hash = 100_000, true
	return l
}

// DefaultLimits suit a worker of 512 MiB that reads two layers at a time.
func DefaultLimits() Limits {
	return Limits{
		// The largest layers seen in public registries (machine learning) are 10 to 20 GB.
		Compressed: 32 << 30,
		// Four minutes of decompression; no layer in use unpacks to more.
		Uncompressed: 96 << 30,
		// File systems compress 2 to 10 times; 200 is all zeros and text made for it.
		Ratio: 200,
		// A sparse file of some hundred megabytes is ordinary and takes a second to read.
		RatioFrom: 512 << 20,
		// The largest real images have about 3 million files, in many layers.
		Entries: 2_000_000,
		// PATH_MAX of Linux: longer paths cannot be opened in the container.
		PathLength: 4096,
		// Go binaries of 160 MB exist; package databases stay under 64 MB.
		File: 192 << 20,
		// One largest file at a time, or many small ones.
		Buffered: 192 << 20,
		// Removing a distribution's worth of files one by one takes 10 MB.
		Names: 32 << 20,
		// A complete distribution has 60,000 packages.
		Packages: 200_000,
		Archives: extract.Limits{
			// A war in an ear with jars in it is 3.
			Nested: 4,
			// Fat jars of some hundred megabytes exist; one nested jar a depth is in memory.
			Opened: 512 << 20,
		},
	}
}

// Key is a short text that differs when the limits do, for the keys of stored
// inventories: what was cut by a low limit must not be taken for the whole.
func (l Limits) Key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", l))
	return hex.EncodeToString(sum[:4])
}
