// Package reference reads image references as people write them.
package reference

import (
	"fmt"
	"strings"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Reference names an image at a host.
type Reference struct {
	Host       string
	Repository string
	Tag        string        // empty: none was given
	Digest     events.Digest // empty: none was given
}

// String is the reference in full.
func (r Reference) String() string {
	s := r.Host + "/" + r.Repository
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + string(r.Digest)
	}
	return s
}

// maxLength is far above the longest valid reference.
const maxLength = 1024

// Parse reads [host/]repository[:tag][@digest]. As every client does, a first
// part without a dot or a port that is not localhost is no host: the reference
// is then one of Docker Hub.
func Parse(s string) (Reference, error) {
	if len(s) > maxLength {
		return Reference{}, fmt.Errorf("image reference of %d characters is too long", len(s))
	}
	var r Reference
	rest, digest, pinned := strings.Cut(s, "@")
	if pinned {
		d, err := events.ParseDigest(digest)
		if err != nil {
			return r, fmt.Errorf("image reference %q: %w", s, err)
		}
		r.Digest = d
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		rest, r.Tag = rest[:i], rest[i+1:]
		if !events.ValidTag(r.Tag) {
			return r, fmt.Errorf("image reference %q: %q is not a tag", s, r.Tag)
		}
	}
	r.Host, r.Repository = split(rest)
	if !events.ValidHost(r.Host) {
		return r, fmt.Errorf("image reference %q: %q is not a host", s, r.Host)
	}
	if !events.ValidRepository(r.Repository) {
		return r, fmt.Errorf("image reference %q: %q is not a repository: want host/repository:tag or host/repository@digest", s, r.Repository)
	}
	return r, nil
}

func split(name string) (host, repository string) {
	first, rest, found := strings.Cut(name, "/")
	if found && (strings.ContainsAny(first, ".:") || first == "localhost") {
		// Aliases of Docker Hub and default ports come out as configured
		// registries have them.
		host = config.Registry{Address: first}.Host()
		if host == "" {
			host = first
		}
		repository = rest
	} else {
		host, repository = config.HubHost, name
	}
	if host == config.HubHost && !strings.Contains(repository, "/") {
		repository = "library/" + repository
	}
	return host, repository
}
