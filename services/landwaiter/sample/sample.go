// Package sample is a small set of advisories that stands in while the public
// export cannot be reached. See README.md for where they are from. Whoever
// uses them must say so: most vulnerabilities are not in them.
package sample

import (
	"embed"
	"io/fs"
)

//go:embed */all.zip
var files embed.FS

// Files is the set in OSV export layout: <ecosystem>/all.zip.
func Files() fs.FS { return files }
