package version

import "strings"

// maxDigits bounds a number in a key: its length is one byte.
const maxDigits = 255

// Key gives a string that orders a version among those of its scheme that have
// one, as strings are ordered. It must be one that Parse takes. There is none
// (empty) for what the scheme has special rules for, nor in a scheme that has
// too many of them: such a version is compared by the library.
func Key(scheme Scheme, s string) string {
	k := keyer{b: make([]byte, 0, len(s)+12)}
	switch scheme {
	case "Debian":
		k.debian(s)
	case "Red Hat":
		k.rpm(s)
	case Semver:
		k.semver(s)
	case "Pub":
		k.numbers(s, 3)
	case "NuGet":
		k.numbers(s, 4)
	case "Maven", "PyPI", "RubyGems":
		k.numbers(s, len(s))
	default:
		return ""
	}
	if k.none {
		return ""
	}
	return string(k.b)
}

// keyer appends the parts of a key.
type keyer struct {
	b    []byte
	none bool
}

// number appends digits: how many they are without leading zeros, then they.
func (k *keyer) number(digits string) {
	digits = strings.TrimLeft(digits, "0")
	if len(digits) > maxDigits {
		k.none = true
		return
	}
	k.b = append(append(k.b, byte(len(digits))), digits...) //nolint:gosec // not above maxDigits
}

// The weights of Debian's characters: what ends sorts before all but the tilde.
const (
	debTilde = 1
	debEnd   = 2
	debOther = 122 // what is no letter sorts after the letters
)

func (k *keyer) debian(s string) {
	epoch, rest, found := strings.Cut(s, ":")
	if !found {
		epoch, rest = "", s
	}
	k.number(epoch)
	revision := ""
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		rest, revision = rest[:i], rest[i+1:]
	}
	k.debianPart(rest)
	k.debianPart(revision)
}

// debianPart appends text and number by turns, as they are compared. A part
// that ends goes on with empty ones: "" and "0" are equal.
func (k *keyer) debianPart(s string) {
	for first := true; first || s != ""; first = false {
		n := spanOf(s, func(c byte) bool { return !isDigit(c) })
		for _, c := range []byte(s[:n]) {
			switch {
			case c == '~':
				c = debTilde
			case !isLetter(c):
				c += debOther
			}
			k.b = append(k.b, c)
		}
		k.b = append(k.b, debEnd)
		s = s[n:]
		n = spanOf(s, isDigit)
		k.number(s[:n])
		s = s[n:]
	}
	k.b = append(k.b, debEnd)
}

// What a part of an rpm's version goes on with, in their order.
const (
	rpmTilde = iota + 1
	rpmEnd
	rpmCaret
	rpmLetters
	rpmDigits
)

func (k *keyer) rpm(s string) {
	epoch, rest, found := strings.Cut(s, ":")
	if !found || strings.Trim(epoch, "0123456789") != "" {
		epoch, rest = "", s
	}
	if epoch == "" {
		epoch = "0"
	}
	k.rpmPart(epoch)
	i := strings.IndexByte(rest, '-')
	if i < 0 {
		i = len(rest)
	}
	k.rpmPart(rest[:i])
	k.rpmPart(rest[i:]) // with its hyphen: an empty release is one
}

func (k *keyer) rpmPart(s string) {
	if s == "" {
		k.b = append(k.b, 0) // before all others, also those that begin with a tilde
		return
	}
	k.b = append(k.b, 1)
	for s != "" {
		n := 1
		switch c := s[0]; {
		case c == '~':
			k.b = append(k.b, rpmTilde)
		case c == '^':
			k.b = append(k.b, rpmCaret)
		case isDigit(c):
			n = spanOf(s, isDigit)
			k.b = append(k.b, rpmDigits)
			k.number(s[:n])
		case isLetter(c):
			n = spanOf(s, isLetter)
			k.b = append(append(append(k.b, rpmLetters), s[:n]...), 0)
		}
		s = s[n:]
	}
	k.b = append(k.b, rpmEnd)
}

// What follows a semantic version's numbers, and what a prerelease goes on with.
const (
	semverPrerelease = 1
	semverRelease    = 2

	semverEnd     = 0
	semverNumber  = 1
	semverLetters = 2
)

func (k *keyer) semver(s string) {
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "v"), "+")
	release, prerelease, found := strings.Cut(s, "-")
	n := strings.Count(release, ".") + 1
	if n > 3 {
		k.none = true
		return
	}
	for part := range strings.SplitSeq(release, ".") {
		k.component(part)
	}
	for ; n < 3; n++ {
		k.number("")
	}
	if !found {
		k.b = append(k.b, semverRelease)
		return
	}
	k.b = append(k.b, semverPrerelease)
	for id := range strings.SplitSeq(prerelease, ".") {
		switch {
		case id == "" || id[0] == '-' || id[0] == '+':
			k.none = true // the library takes "-1" for a number
		case spanOf(id, isDigit) == len(id):
			k.b = append(k.b, semverNumber)
			k.number(id)
		default:
			k.b = append(append(append(k.b, semverLetters), id...), 0)
		}
	}
	k.b = append(k.b, semverEnd)
}

// numbers is for numbers and dots alone; zeros at the end do not count.
func (k *keyer) numbers(s string, most int) {
	if strings.Count(s, ".") >= most {
		k.none = true
		return
	}
	last := 0
	for part := range strings.SplitSeq(s, ".") {
		before := len(k.b)
		k.component(part)
		if len(k.b) > before+1 {
			last = len(k.b)
		}
	}
	k.b = append(k.b[:last], 0)
}

func (k *keyer) component(s string) {
	if s == "" || spanOf(s, isDigit) < len(s) {
		k.none = true
		return
	}
	k.number(s)
}

// spanOf is how many bytes at the beginning are of a kind.
func spanOf(s string, is func(byte) bool) int {
	n := 0
	for n < len(s) && is(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') }
