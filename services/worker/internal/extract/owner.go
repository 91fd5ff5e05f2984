package extract

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// ownedBytes bounds the paths made from one database: a distribution's are
// some megabytes.
const ownedBytes = 64 << 20

// ownable tells whether a file of an OS package may be the location of a
// language's package. All others are left out of owner lists: a distribution
// has some hundred files a package, and few of them matter.
func ownable(name string) bool {
	if languageKind(name) != None {
		return true
	}
	if strings.HasPrefix(name, "usr/share/") || strings.HasPrefix(name, "usr/include/") || strings.HasPrefix(name, "etc/") {
		return false
	}
	// A Go binary may have any name, but not one of these.
	return !slices.Contains([]string{
		".a", ".c", ".conf", ".ko", ".gz", ".h", ".html", ".js", ".json", ".map", ".pl", ".pm", ".png", ".py", ".pyc",
		".rb", ".sh", ".svg", ".ts", ".txt", ".xml", ".xz", ".zst",
	}, path.Ext(name))
}

// newOwner makes an owner of those files that matter; ok is false if there are none.
func newOwner(pkg, location string, files []string) (owner inventory.Owner, ok bool) {
	var hashes []uint64
	for _, file := range files {
		if ownable(file) {
			hashes = append(hashes, inventory.Hash(file))
		}
	}
	return inventory.Owner{Package: pkg, Location: location, Files: inventory.NewHashes(hashes)}, len(hashes) > 0
}

// readDpkgList reads info/PACKAGE[:ARCH].list, a path a line, or a distroless
// image's status.d/PACKAGE.md5sums, a sum and a path a line.
func readDpkgList(location string, content []byte) Found {
	name := path.Base(location)
	sums := strings.HasSuffix(name, ".md5sums")
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".md5sums"), ".list")
	name, _, _ = strings.Cut(name, ":")
	var files []string
	for file := range strings.Lines(string(content)) {
		file = strings.TrimSpace(file)
		if sums {
			_, file, _ = strings.Cut(file, " ")
		}
		if file = clean(file); file != "" {
			files = append(files, file)
		}
	}
	if owner, ok := newOwner(name, location, files); ok {
		return Found{Owners: []inventory.Owner{owner}}
	}
	return Found{}
}

// clean is the path as layers keep it: no leading slash, no dots. Most paths
// have nothing else to take away.
func clean(name string) string {
	name = strings.TrimSpace(name)
	if short := strings.TrimPrefix(name, "/"); fs.ValidPath(short) && short != "." {
		return short
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
