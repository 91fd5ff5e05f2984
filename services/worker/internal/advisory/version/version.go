// Package version compares package versions by the rules of their ecosystem.
// It never panics, whatever the strings are.
package version

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/osv-scalibr/semantic"
)

// maxLength bounds a version: comparing long digit runs is quadratic, and no
// real version comes near it.
const maxLength = 256

// ErrUnparsable is wrapped by every error of Parse.
var ErrUnparsable = errors.New("version cannot be understood")

// Scheme is a way of ordering versions. The empty scheme orders nothing:
// versions can only be equal.
type Scheme string

// Semver is the scheme of SEMVER ranges, whatever the ecosystem.
const Semver Scheme = "npm"

// Version is one that Parse took.
type Version struct {
	scheme Scheme
	text   string
	key    string           // see Key
	parsed semantic.Version // by Parse, where there is no key
}

// SchemeOf gives the scheme of an OSV ecosystem; a release suffix is ignored.
func SchemeOf(ecosystem string) Scheme {
	family, _, _ := strings.Cut(ecosystem, ":")
	switch family {
	case "Bitnami", "Bioconductor", "ConanCenter", "crates.io", "Docker Hardened Images", "GHC", "GitHub Actions",
		"Go", "Hex", "Julia", "npm", "SwiftURL", "VSCode":
		return Semver
	case "Debian", "Ubuntu", "Echo":
		return "Debian"
	case "Alpine", "Alpaquita", "BellSoft Hardened Containers", "Chainguard", "CleanStart", "MinimOS", "Wolfi":
		return "Alpine"
	case "AlmaLinux", "Azure Linux", "Mageia", "openEuler", "openSUSE", "Photon OS", "Red Hat", "Rocky Linux",
		"SUSE", "TuxCare":
		return "Red Hat"
	case "CRAN", "Hackage", "Maven", "NuGet", "Packagist", "Pub", "PyPI", "RubyGems":
		return Scheme(family)
	default:
		return ""
	}
}

// Total tells whether the scheme orders whatever it can parse from the oldest to
// the newest. The others have versions, strange ones, that are each older than
// the next in a circle.
func (s Scheme) Total() bool {
	switch s {
	case Semver, "CRAN", "Debian", "Hackage", "NuGet", "Pub", "PyPI", "Red Hat", "RubyGems":
		return true
	default: // Alpine, Maven, Packagist
		return false
	}
}

// Parse reads a version. What the ecosystem's own tools would refuse, and the
// lenient library underneath would order somewhere, is an error here: a guess
// would turn into a wrong finding or a missed one.
func Parse(scheme Scheme, s string) (Version, error) {
	if !plausible(scheme, s) {
		return Version{}, fmt.Errorf("%w: %.80q", ErrUnparsable, s)
	}
	v := Keyed(scheme, s, Key(scheme, s))
	if v.key != "" {
		return v, nil
	}
	var err error
	if v.parsed, err = v.parse(); err != nil {
		return Version{}, err
	}
	return v, nil
}

// Keyed is a version that Parse took before, with the key it had.
func Keyed(scheme Scheme, s, key string) Version { return Version{scheme: scheme, text: s, key: key} }

// parse has the library read it.
func (v Version) parse() (parsed semantic.Version, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %q: %v", ErrUnparsable, v.text, p)
		}
	}()
	s := v.text
	if v.scheme == "RubyGems" {
		s = gem(s)
	}
	parsed, err = semantic.Parse(s, string(v.scheme))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnparsable, err)
	}
	return parsed, nil
}

// Scheme gives the scheme; the empty version has none.
func (v Version) Scheme() Scheme { return v.scheme }

// Key gives the version's key; it may have none.
func (v Version) Key() string { return v.key }

// Compare is negative where v is older than w, 0 where they are equal. Both
// must be of one scheme.
func (v Version) Compare(w Version) (order int, err error) {
	if v.key != "" && w.key != "" && v.scheme == w.scheme {
		return strings.Compare(v.key, w.key), nil
	}
	return v.compareParsed(w)
}

func (v Version) compareParsed(w Version) (order int, err error) {
	for _, side := range []*Version{&v, &w} {
		if side.parsed == nil {
			if side.parsed, err = side.parse(); err != nil {
				return 0, err
			}
		}
	}
	defer func() {
		if p := recover(); p != nil {
			order, err = 0, fmt.Errorf("%w: %v", ErrUnparsable, p)
		}
	}()
	order, err = v.parsed.Compare(w.parsed)
	if err != nil {
		return 0, fmt.Errorf("compare versions: %w", err)
	}
	return order, nil
}

func plausible(scheme Scheme, s string) bool {
	if s == "" || len(s) > maxLength {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	switch scheme {
	case "":
		return false
	case Semver:
		return startsWithDigit(strings.TrimPrefix(s, "v"))
	case "Alpine":
		return startsWithDigit(s)
	case "Debian":
		return plausibleDeb(s)
	case "Red Hat":
		return !strings.ContainsAny(s, "/<>=()[]{}$,;'\"\\")
	case "PyPI":
		return pep440.MatchString(s)
	default:
		return !strings.ContainsAny(s, "/<>=()[]{}$,;'\"\\*")
	}
}

// plausibleDeb follows deb-version(7): [epoch:]upstream[-revision].
func plausibleDeb(s string) bool {
	epoch, rest, found := strings.Cut(s, ":")
	if !found {
		rest = epoch
	} else if epoch == "" || strings.Trim(epoch, "0123456789") != "" {
		return false
	}
	return rest != "" && rest[0] != '-' && spanOf(rest, func(c byte) bool {
		return isDigit(c) || isLetter(c) || strings.IndexByte(".+-~:_", c) >= 0
	}) == len(rest)
}

// pep440 is what Python's tools take for a version. The library underneath
// orders all others before these, as setuptools once did.
var pep440 = regexp.MustCompile(`(?i)^v?([0-9]+!)?[0-9]+(\.[0-9]+)*([-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?[0-9]*)?` +
	`(-[0-9]+|[-_.]?(post|rev|r)[-_.]?[0-9]*)?([-_.]?dev[-_.]?[0-9]*)?(\+[a-z0-9]+([-_.][a-z0-9]+)*)?$`)

// zeros are those in front of a number.
var zeros = regexp.MustCompile(`(^|[^0-9])0+([0-9])`)

// gem does what Ruby does before it compares, and the library does not: a
// hyphen begins a prerelease, and 01 is the number 1.
func gem(s string) string {
	return zeros.ReplaceAllString(strings.ReplaceAll(s, "-", ".pre."), "$1$2")
}

func startsWithDigit(s string) bool { return s != "" && isDigit(s[0]) }
