package events

import (
	"regexp"
	"strings"
)

var (
	nameForm       = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	hostForm       = regexp.MustCompile(`^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(:[0-9]{1,5})?$`)
	repositoryForm = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagForm        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	tokenForm      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	platformForm   = regexp.MustCompile(`^[a-z0-9]{1,32}(/[a-z0-9][a-z0-9._-]{0,31}){0,2}$`)
	// An OS is a part of a consumer's name between hyphens, so it has none.
	osForm = regexp.MustCompile(`^[a-z0-9]{1,32}$`)
)

// ValidName reports whether s may name a registry, rule, credential or pool:
// lower case letters, digits and inner hyphens, 1 to 63 of them, so that it
// fits a subject, a URL path and a DNS label alike.
func ValidName(s string) bool { return nameForm.MatchString(s) }

// ValidHost reports whether s is a pull host, lower case, with an optional port:
// a name of at most 253 characters, or an IPv6 address in brackets.
func ValidHost(s string) bool {
	const longest = 253 // counted here: in the expression it would make each match slow
	name, _, _ := strings.Cut(s, ":")
	return len(name) <= longest && hostForm.MatchString(s)
}

// ValidRepository reports whether s is a repository path as the OCI
// distribution specification writes it, at most 255 characters.
func ValidRepository(s string) bool { return len(s) <= 255 && repositoryForm.MatchString(s) }

// ValidTag reports whether s is a tag as the OCI distribution specification
// writes it.
func ValidTag(s string) bool { return tagForm.MatchString(s) }

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
