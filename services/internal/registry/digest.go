package registry

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

var (
	digestGrammar = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)
	tagGrammar    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	repoGrammar   = regexp.MustCompile(`^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$`)
)

// IsDigest reports whether s is a digest of an algorithm that is trusted:
// sha256 or sha512, in lower case.
func IsDigest(s string) bool { return digestGrammar.MatchString(s) }

// IsTag reports whether s is a tag.
func IsTag(s string) bool { return tagGrammar.MatchString(s) }

// IsRepository reports whether s is a repository's path without a host.
func IsRepository(s string) bool { return len(s) <= 255 && repoGrammar.MatchString(s) }

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// verify compares bytes with the digest they were asked for by.
func verify(b []byte, digest string) error {
	got := digestOf(b)
	if strings.HasPrefix(digest, "sha512:") {
		sum := sha512.Sum512(b)
		got = "sha512:" + hex.EncodeToString(sum[:])
	}
	if got != digest {
		return fmt.Errorf("%w: the content is %s", ErrInvalid, got)
	}
	return nil
}
