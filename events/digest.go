package events

import (
	"fmt"
	"regexp"
	"strings"
)

// Digest is a manifest's or blob's content digest, sha256 or sha512, in the
// form algorithm:hex. The empty Digest means unknown.
type Digest string

var digestForm = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)

// ParseDigest returns s as a Digest, or an error where it is none.
func ParseDigest(s string) (Digest, error) {
	if !digestForm.MatchString(s) {
		return "", fmt.Errorf("digest %q: want sha256:<64 hex> or sha512:<128 hex>", clip(s))
	}
	return Digest(s), nil
}

// Token is the digest with its colon replaced, fit for a broker subject or key.
func (d Digest) Token() string { return strings.Replace(string(d), ":", "-", 1) }

// DigestFromToken undoes Token.
func DigestFromToken(s string) (Digest, error) {
	algorithm, hex, _ := strings.Cut(s, "-")
	return ParseDigest(algorithm + ":" + hex)
}
