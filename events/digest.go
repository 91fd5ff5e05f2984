package events

import (
	"fmt"
	"strings"
)

// Digest is a manifest's or blob's content digest, sha256 or sha512, in the
// form algorithm:hex. The empty Digest means unknown.
type Digest string

// ParseDigest returns s as a Digest, or an error where it is none.
func ParseDigest(s string) (Digest, error) {
	if !validDigest(s) {
		return "", fmt.Errorf("digest %q: want sha256:<64 hex> or sha512:<128 hex>", clip(s))
	}
	return Digest(s), nil
}

// validDigest is no regular expression: every event asks it several times.
func validDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	digits := 64
	if !ok {
		hex, ok = strings.CutPrefix(s, "sha512:")
		digits = 128
	}
	return ok && len(hex) == digits && strings.Trim(hex, "0123456789abcdef") == ""
}

// Token is the digest with its colon replaced, fit for a broker subject or key.
func (d Digest) Token() string { return strings.Replace(string(d), ":", "-", 1) }

// DigestFromToken undoes Token.
func DigestFromToken(s string) (Digest, error) {
	algorithm, hex, _ := strings.Cut(s, "-")
	return ParseDigest(algorithm + ":" + hex)
}
