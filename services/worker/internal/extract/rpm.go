package extract

import (
	"context"
	"strconv"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/extract/rpmdb"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// rpmLog is at the end of the name of SQLite's log of changes. rpm leaves it
// empty when it ends in good order.
const rpmLog = "-wal"

func readRPM(ctx context.Context, location string, content []byte) (found Found) {
	if len(content) == 0 {
		return found // rpm leaves empty files of the formats it does not use
	}
	if strings.HasSuffix(location, rpmLog) {
		found.note(verdict.NoteFileUnreadable, "%s: %d bytes of changes that did not get into the database before the image was made were not looked at",
			location, len(content))
		return found
	}
	pkgs, err := rpmdb.Read(ctx, content)
	if err != nil {
		found.note(verdict.NoteFileUnreadable, "%s: %v", location, err)
	}
	for _, p := range pkgs {
		if p.Name == "gpg-pubkey" {
			continue // a trusted key, not software
		}
		version := p.Version + "-" + p.Release
		if p.Epoch != 0 {
			version = strconv.Itoa(p.Epoch) + ":" + version
		}
		pkg := inventory.Package{
			Type: "rpm", Name: p.Name, Version: version, Arch: p.Arch, Source: sourceRPM(p.Source), Module: p.Module,
			Vendor: p.Vendor, Evidence: inventory.Record, Location: location,
		}
		if p.License != "" {
			pkg.Licenses = []string{p.License}
		}
		found.Packages = append(found.Packages, pkg)
		if owner, ok := newOwner(p.Name, location, p.Files); ok {
			found.Owners = append(found.Owners, owner)
		}
	}
	return found
}

// sourceRPM takes the file name of a source package apart: name-version-release.src.rpm.
func sourceRPM(file string) verdict.Source {
	base := strings.TrimSuffix(file, ".rpm")
	base = strings.TrimSuffix(strings.TrimSuffix(base, ".src"), ".nosrc")
	release := strings.LastIndexByte(base, '-')
	if release < 0 {
		return verdict.Source{}
	}
	version := strings.LastIndexByte(base[:release], '-')
	if version < 0 {
		return verdict.Source{}
	}
	return verdict.Source{Name: base[:version], Version: base[version+1:]}
}
