package dead

import (
	"slices"
	"strings"
)

// Proves reports whether a header of this name may prove who somebody is. Its
// value is neither kept in a letter nor shown: people read them.
func Proves(header string) bool {
	header = strings.ToLower(header)
	return slices.ContainsFunc([]string{"auth", "token", "secret", "signature", "cookie", "password", "credential", "key"}, func(word string) bool {
		return strings.Contains(header, word)
	})
}
