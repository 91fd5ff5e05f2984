// Package rule answers what a rule covers and when it is due. It is pure:
// nothing is read from a clock, a network or a disk.
package rule

import (
	"fmt"
	"regexp"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// signatureTag is how cosign and the referrers fallback name what belongs to
// an image and is none: signatures, attestations, SBOMs.
var signatureTag = regexp.MustCompile(`^sha256-[0-9a-f]{64}(\.(sig|att|sbom))?$`)

// Matcher decides which images a rule covers. Its zero value covers everything
// but signature tags.
type Matcher struct {
	repositories, excludeRepositories patterns
	tags, excludeTags                 patterns
	platforms                         []platform
}

// Compile reads a rule's patterns and platforms.
func Compile(r config.Rule) (Matcher, error) {
	var m Matcher
	for _, list := range []struct {
		name string
		in   []string
		out  *patterns
	}{
		{"repositories", r.Repositories, &m.repositories},
		{"excludeRepositories", r.ExcludeRepositories, &m.excludeRepositories},
		{"tags", r.Tags, &m.tags},
		{"excludeTags", r.ExcludeTags, &m.excludeTags},
	} {
		ps, err := parsePatterns(list.in)
		if err != nil {
			return Matcher{}, fmt.Errorf("rule %s: %s: %w", r.Name, list.name, err)
		}
		*list.out = ps
	}
	for _, s := range r.Platforms {
		p, err := parsePlatform(s)
		if err != nil {
			return Matcher{}, fmt.Errorf("rule %s: platforms: %w", r.Name, err)
		}
		m.platforms = append(m.platforms, p)
	}
	return m, nil
}

// Repository reports whether the rule covers a repository.
func (m Matcher) Repository(repo string) bool {
	return (len(m.repositories) == 0 || m.repositories.match(repo)) && !m.excludeRepositories.match(repo)
}

// Tag reports whether the rule covers a tag. Tags that hold signatures,
// attestations or SBOMs are never covered, whatever the patterns say.
func (m Matcher) Tag(tag string) bool {
	return !IsSignatureTag(tag) && (len(m.tags) == 0 || m.tags.match(tag)) && !m.excludeTags.match(tag)
}

// Platform reports whether the rule covers a platform.
func (m Matcher) Platform(os, arch, variant string) bool {
	if len(m.platforms) == 0 {
		return true
	}
	for _, p := range m.platforms {
		if p.match(os, arch, variant) {
			return true
		}
	}
	return false
}

// IsSignatureTag reports whether a tag holds a signature, an attestation, an
// SBOM or the list of an image's referrers.
func IsSignatureTag(tag string) bool { return signatureTag.MatchString(tag) }
