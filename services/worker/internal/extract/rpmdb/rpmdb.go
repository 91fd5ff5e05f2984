// Package rpmdb reads rpm's package database in its three formats: Berkeley
// DB, NDB and SQLite. It reads from memory, because the database comes out of
// a layer that may be hostile: every offset is checked, no goroutine is left
// behind and nothing is written to disk.
package rpmdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// Package is one installed package.
type Package struct {
	Name    string
	Epoch   int // 0: none
	Version string
	Release string
	Arch    string
	Source  string // file name of the source package
	Vendor  string
	License string
	Module  string // modularity label
	Files   []string
}

// ErrFormat is a database that cannot be understood.
var ErrFormat = errors.New("not a valid rpm database")

// pathBytes bounds the paths of all packages: a complete distribution's are
// some 20 MB.
const pathBytes = 64 << 20

// Read returns the packages of a database. With an error it returns those
// found before it. Nobody else may use db meanwhile.
func Read(ctx context.Context, db []byte) ([]Package, error) {
	var pkgs []Package
	var bad error
	budget := pathBytes
	add := func(header []byte) {
		p, err := parseHeader(header, &budget)
		switch {
		case err != nil:
			bad = fmt.Errorf("package %d: %w", len(pkgs), err)
		case p.Name != "":
			pkgs = append(pkgs, p)
		}
	}
	var err error
	switch {
	case bytes.HasPrefix(db, []byte(sqliteMagic)):
		err = readSQLite(ctx, db, add)
	case bytes.HasPrefix(db, []byte(ndbMagic)):
		err = readNDB(db, add)
	default:
		err = readBDB(ctx, db, add)
	}
	return pkgs, errors.Join(err, bad)
}
