// Package fingerprint holds a user's list of known files: programs and archives
// recognised by the hash of their content, whatever they are called.
package fingerprint

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

const (
	mostBytes = 64 << 20  // of a list: half a million lines
	mostLine  = 4096      // bytes
	mostLines = 1_000_000 // with a hash
)

// List is a list of known files. The nil list is empty.
type List struct {
	lines   map[string][]line // by the hash's bytes
	version string
}

// line is what is said of a hash.
type line struct {
	pkg     inventory.Package // type, name and version
	listing *inventory.Listing
}

// Load reads a list from a file; see Parse.
func Load(path string) (list *List, err error) {
	f, err := os.Open(path) //nolint:gosec // whoever configures the worker may name any file
	if err != nil {
		return nil, fmt.Errorf("open fingerprints: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	list, err = Parse(f)
	if err != nil {
		return nil, fmt.Errorf("fingerprints %s: %w", path, err)
	}
	return list, nil
}

// Parse reads a list of at most 64 MiB, a file a line:
//
//	HASH [NAME [VERSION [SEVERITY [COMMENT]]]]
//
// with blanks or tabs between. HASH is SHA-256 or, for archives, SHA-1 in hex;
// "sha256:" or "sha1:" may stand before it. NAME is any word, or a package URL
// of a language's package (pkg:maven/org.example/lib): then the file counts as
// that package when it is compared with advisories. SEVERITY is one of
// critical, high, medium, low, negligible and unknown. A dash leaves a field
// out. Lines that are blank or begin with # say nothing.
//
// A file on the list is a package of the image. It is also a finding, unless
// NAME is a package URL and there is no SEVERITY: then it is only named.
func Parse(r io.Reader) (*List, error) {
	limited := &io.LimitedReader{R: r, N: mostBytes + 1}
	list := &List{lines: map[string][]line{}}
	scanner := bufio.NewScanner(limited)
	scanner.Buffer(nil, mostLine)
	number, said := 0, []string{}
	for scanner.Scan() {
		number++
		text := strings.TrimSpace(strings.TrimPrefix(scanner.Text(), "\ufeff"))
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		sum, l, err := parseLine(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if said = append(said, strings.Join(strings.Fields(text), " ")); len(said) > mostLines {
			return nil, fmt.Errorf("more than %d files", mostLines)
		}
		list.lines[sum] = append(list.lines[sum], l)
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", number+1, err)
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("more than %d bytes", mostBytes)
	}
	slices.Sort(said)
	hash := sha256.Sum256([]byte(strings.Join(slices.Compact(said), "\n")))
	list.version = hex.EncodeToString(hash[:8])
	return list, nil
}

// Version changes when what the list says does, not when its order does. It is
// empty without a list.
func (l *List) Version() string {
	if l == nil {
		return ""
	}
	return l.version
}
