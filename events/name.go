package events

import (
	"regexp"
	"strings"
)

var (
	tokenForm    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	platformForm = regexp.MustCompile(`^[a-z0-9]{1,32}(/[a-z0-9][a-z0-9._-]{0,31}){0,2}$`)
	// An OS is a part of a consumer's name between hyphens, so it has none.
	osForm = regexp.MustCompile(`^[a-z0-9]{1,32}$`)
)

// What the event of every webhook is checked for is no regular expression, which
// would take a third of the time in which the event is made.

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isPlain is for what almost every name is made of.
func isPlain(c byte) bool { return 'a' <= c && c <= 'z' || isDigit(c) }

func isAddress(c byte) bool { return 'a' <= c && c <= 'f' || isDigit(c) || c == ':' }

func isTag(c byte) bool {
	return isPlain(c) || 'A' <= c && c <= 'Z' || c == '_' || c == '.' || c == '-'
}

// only reports whether s is made of such characters.
func only(s string, such func(byte) bool) bool {
	for i := range len(s) {
		if !such(s[i]) {
			return false
		}
	}
	return true
}

// enclosed reports whether s begins and ends with plain characters, and has
// nothing but them and those of inner between.
func enclosed(s, inner string) bool {
	return s != "" && isPlain(s[0]) && isPlain(s[len(s)-1]) &&
		only(s, func(c byte) bool { return isPlain(c) || strings.IndexByte(inner, c) >= 0 })
}

// ValidName reports whether s may name a registry, rule, credential or pool:
// lower case letters, digits and inner hyphens, 1 to 63 of them, so that it
// fits a subject, a URL path and a DNS label alike.
func ValidName(s string) bool { return len(s) <= 63 && enclosed(s, "-") }

// ValidHost reports whether s is a pull host, lower case, with an optional port:
// a name of at most 253 characters, or an IPv6 address in brackets.
func ValidHost(s string) bool {
	const longest = 253
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		port := s[i+1:]
		if s = s[:i]; len(port) < 1 || len(port) > 5 || !only(port, isDigit) {
			return false
		}
	}
	if len(s) > longest {
		return false
	}
	if address, ok := strings.CutPrefix(s, "["); ok {
		address, ok = strings.CutSuffix(address, "]")
		return ok && address != "" && only(address, isAddress)
	}
	return enclosed(s, ".-")
}

// ValidRepository reports whether s is a repository path as the OCI
// distribution specification writes it, at most 255 characters.
func ValidRepository(s string) bool {
	if len(s) > 255 {
		return false
	}
	for part := range strings.SplitSeq(s, "/") {
		if !validPart(part) {
			return false
		}
	}
	return true
}

// validPart reports whether s is plain characters, divided by a dot, by one
// underscore or two, or by hyphens.
func validPart(s string) bool {
	if !enclosed(s, "._-") {
		return false
	}
	for i := 0; i < len(s); i++ {
		begin := i
		for !isPlain(s[i]) { // ends: the last one is
			i++
		}
		if divider := s[begin:i]; len(divider) > 1 && divider != "__" && strings.Trim(divider, "-") != "" {
			return false
		}
	}
	return true
}

// ValidTag reports whether s is a tag as the OCI distribution specification
// writes it.
func ValidTag(s string) bool {
	return s != "" && len(s) <= 128 && s[0] != '.' && s[0] != '-' && only(s, isTag)
}

// validPlatform reports whether s is os[/architecture[/variant]].
func validPlatform(s string) bool { return platformForm.MatchString(s) }

// validKey reports whether every dot-separated part of s is a key token.
func validKey(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if !tokenForm.MatchString(part) {
			return false
		}
	}
	return true
}
