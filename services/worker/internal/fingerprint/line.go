package fingerprint

import (
	"crypto/sha1" //nolint:gosec // only its size is used here
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

var (
	errHash     = errors.New("the hash is neither 64 digits of SHA-256 nor 40 of SHA-1, in hex")
	errSeverity = errors.New("not a severity")
	errPackage  = errors.New("not a package URL of a language's package")
)

func parseLine(text string) (sum string, l line, err error) {
	fields := strings.Fields(text)
	field := func(i int) string {
		if i >= len(fields) || fields[i] == "-" {
			return ""
		}
		return fields[i]
	}
	sum, hash, err := parseHash(fields[0])
	if err != nil {
		return "", line{}, err
	}
	severity, err := parseSeverity(field(3))
	if err != nil {
		return "", line{}, err
	}
	l.pkg = inventory.Package{Type: "generic", Name: field(1), Version: field(2)}
	named := strings.HasPrefix(field(1), "pkg:")
	if named {
		if l.pkg, err = parsePackage(field(1), field(2)); err != nil {
			return "", line{}, err
		}
	}
	if !named || severity != "" {
		l.listing = &inventory.Listing{Hash: hash, Severity: severity, Comment: strings.Join(fields[min(4, len(fields)):], " ")}
	}
	if l.listing != nil && severity == "" {
		l.listing.Severity = verdict.Unknown
	}
	return sum, l, nil
}

// parseHash returns the hash's bytes, and how it is written.
func parseHash(text string) (sum, written string, err error) {
	algorithm, digits, found := strings.Cut(strings.ToLower(text), ":")
	if !found {
		algorithm, digits = "", algorithm
	}
	raw, err := hex.DecodeString(digits)
	switch {
	case err != nil:
	case len(raw) == sha256.Size && (algorithm == "sha256" || algorithm == ""):
		return string(raw), "sha256:" + digits, nil
	case len(raw) == sha1.Size && (algorithm == "sha1" || algorithm == ""):
		return string(raw), "sha1:" + digits, nil
	}
	return "", "", fmt.Errorf("%w: %.80q", errHash, text)
}

func parseSeverity(text string) (verdict.Severity, error) {
	s := verdict.Severity(strings.ToLower(text))
	known := []verdict.Severity{"", verdict.Critical, verdict.High, verdict.Medium, verdict.Low, verdict.Negligible, verdict.Unknown}
	if !slices.Contains(known, s) {
		return "", fmt.Errorf("%w: %.80q", errSeverity, text)
	}
	return s, nil
}

// parsePackage names a package as inventories do.
func parsePackage(text, version string) (inventory.Package, error) {
	purl, err := packageurl.FromString(text)
	if err != nil {
		return inventory.Package{}, fmt.Errorf("%w: %w", errPackage, err)
	}
	p := inventory.Package{Type: purl.Type, Name: purl.Name, Version: purl.Version}
	if version != "" {
		p.Version = version
	}
	switch purl.Type {
	case "deb", "apk", "rpm":
		return inventory.Package{}, fmt.Errorf("%w: %.200q", errPackage, text)
	case "maven":
		p.Name = purl.Namespace + ":" + purl.Name
	default:
		if purl.Namespace != "" {
			p.Name = purl.Namespace + "/" + purl.Name
		}
	}
	return p, nil
}
