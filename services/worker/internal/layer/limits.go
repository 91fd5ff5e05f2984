package layer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
)

// The environment variables that set the limits: notes name them. Those of
// single files are in extract.
const (
	SettingCompressed   = "LANDWAITER_LAYER_COMPRESSED"
	SettingUncompressed = "LANDWAITER_LAYER_UNCOMPRESSED"
	SettingRatio        = "LANDWAITER_LAYER_RATIO"
	SettingRatioFrom    = "LANDWAITER_LAYER_RATIO_FROM"
	SettingEntries      = "LANDWAITER_LAYER_ENTRIES"
	SettingPathLength   = "LANDWAITER_LAYER_PATH_LENGTH"
	SettingFile         = "LANDWAITER_LAYER_FILE"
	SettingBuffered     = "LANDWAITER_LAYER_BUFFERED"
	SettingPaths        = "LANDWAITER_LAYER_PATHS"
	SettingPackages     = "LANDWAITER_LAYER_PACKAGES"
	SettingHashed       = "LANDWAITER_LAYER_FINGERPRINTS"
	SettingTime         = "LANDWAITER_LAYER_TIME"

	memory = "GOMEMLIMIT"
)

// Limits bound what reading one layer may cost. What lies behind a limit is not
// seen, and the inventory says so; a zero limit lets nothing through.
type Limits struct {
	Compressed   int64         // bytes of the blob; of a larger one nothing is looked at, since its digest cannot be verified
	Uncompressed int64         // bytes after decompression
	Ratio        int64         // uncompressed bytes per compressed byte, looked at beyond RatioFrom
	RatioFrom    int64         // uncompressed bytes
	Entries      int           // entries of the archive
	PathLength   int           // bytes
	File         int64         // bytes of one file held in memory
	FileBy       string        // what sets File; blank: SettingFile
	Buffered     int64         // bytes of files and of larger than usual zstd windows held in memory at one moment by all layers a Reader reads
	Names        int64         // bytes of the paths kept as text: whiteouts, opaque directories, hard links
	Packages     int           // packages found
	Hashed       int           // files hashed, where Fingerprints asks for it
	Fingerprints bool          // take the hashes of files; false, the default, costs nothing
	Time         time.Duration // of looking into the layer; waiting for the registry or for memory does not count
	Archives     extract.Limits
}

// WithFingerprints is the limits with the hashing of programs and archives
// asked for. A distribution has some thousand of them, 100 bytes each when
// stored. A layer that is nearly all programs takes a fifth longer to read.
func (l Limits) WithFingerprints() Limits {
	l.Fingerprints, l.Archives.Hash = true, true
	return l
}

// Within narrows what is held in memory to what a process has room for that is
// to take no more than so many bytes (GOMEMLIMIT).
func (l Limits) Within(most int64) Limits {
	eighth := most / 8
	if l.File > 5*eighth {
		l.File, l.FileBy = 5*eighth, memory
	}
	if l.Archives.Held > 2*eighth {
		l.Archives.Held, l.Archives.HeldBy = 2*eighth, memory
	}
	l.Buffered = min(l.Buffered, 7*eighth) // a file and what is in it
	return l.consistent()
}

// consistent is the limits without a file that would wait for ever for room.
func (l Limits) consistent() Limits {
	if l.File > l.Buffered {
		l.File, l.FileBy = l.Buffered, SettingBuffered
	}
	return l
}

// DefaultLimits suit a worker of 512 MiB that reads two layers at a time, and a
// third for somebody who waits. Within makes them fit a smaller one.
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
		// Of a program only data and symbols are held, so that Go's of several
		// hundred megabytes fit. Web applications in one archive have 100 MB.
		File: 192 << 20,
		// One largest file with what may be held of archives in it, or many small
		// ones, or the largest window of zstd and small ones.
		Buffered: 256 << 20,
		// Removing a distribution's worth of files one by one takes 10 MB.
		Names: 32 << 20,
		// A complete distribution has 60,000 packages.
		Packages: 200_000,
		// A distribution has some thousand programs and archives.
		Hashed: 100_000,
		// What Uncompressed allows takes four minutes on one core; a busy machine
		// may be several times slower.
		Time: time.Hour,
		Archives: extract.Limits{
			// A war in an ear with jars in it is 3.
			Nested: 4,
			// Fat jars of some hundred megabytes exist.
			Opened: 512 << 20,
			// One nested jar a depth is in memory; a web application's have some megabytes.
			Held: 64 << 20,
			// The largest rpm database takes a second.
			Time: 30 * time.Second,
		},
	}
}

// Key is a short text that differs when the limits do, for the keys of stored
// inventories: what was cut by a low limit must not be taken for the whole.
func (l Limits) Key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", l))
	return hex.EncodeToString(sum[:4])
}
