package extract

import (
	"bytes"
	"path"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// readAPK reads apk's database: a line has a letter and what it stands for, a
// blank line ends a package. Lines may have any length: those of what a package
// provides or needs have some hundred thousand bytes at times.
func readAPK(location string, content []byte) (found Found) {
	r := apkReader{location: location, budget: ownedBytes, found: &found}
	r.begin()
	strange := 0
	for line := range bytes.Lines(content) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
			r.end()
			r.begin()
		case len(line) > 1 && line[1] == ':':
			r.field(line[0], line[2:])
		default:
			strange++
		}
	}
	r.end()
	if strange > 0 {
		found.note(verdict.NoteFileUnreadable, "%s: %d lines are not of apk's database", location, strange)
	}
	return found
}

type apkReader struct {
	location string
	budget   int // bytes of paths
	found    *Found

	any    bool // the package has begun
	pkg    inventory.Package
	origin string
	dir    string
	files  []string
}

func (r *apkReader) begin() {
	r.any, r.origin, r.dir, r.files = false, "", "", nil
	r.pkg = inventory.Package{Type: "apk", Evidence: inventory.Record, Location: r.location}
}

func (r *apkReader) field(key byte, value []byte) {
	r.any = true
	switch key {
	case 'P':
		r.pkg.Name = string(value)
	case 'V':
		r.pkg.Version = string(value)
	case 'A':
		r.pkg.Arch = string(value)
	case 'L':
		if len(value) > 0 {
			r.pkg.Licenses = []string{string(value)}
		}
	case 'm':
		r.pkg.Vendor = string(value)
	case 'o':
		r.origin = string(value)
	case 'F':
		r.dir = string(value)
	case 'R':
		// The directory is written once, for any number of files.
		if r.budget -= len(r.dir) + len(value); r.budget > 0 {
			r.files = append(r.files, clean(path.Join(r.dir, string(value))))
		}
	}
}

func (r *apkReader) end() {
	switch {
	case !r.any:
		return
	case r.pkg.Name == "" || r.pkg.Version == "":
		r.found.note(verdict.NoteUnknownPackageVersion, "%s: package %q has no version", r.location, r.pkg.Name)
		return
	}
	r.pkg.Source = source(r.pkg, r.origin, "")
	r.found.Packages = append(r.found.Packages, r.pkg)
	if owner, ok := newOwner(r.pkg.Name, r.location, r.files); ok {
		r.found.Owners = append(r.found.Owners, owner)
	}
}
