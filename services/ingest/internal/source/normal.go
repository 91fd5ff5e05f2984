package source

import (
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/landwaiter/landwaiter/events"
)

// repository is a repository path without its host, or blank where s is none.
func repository(s string) string {
	s = strings.ToLower(strings.Trim(strings.TrimSpace(s), "/"))
	if !events.ValidRepository(s) {
		return ""
	}
	return s
}

// joined is the repository of several parts, or blank where one of them is none.
func joined(parts ...string) string {
	clean := make([]string, len(parts))
	for i, p := range parts {
		if clean[i] = repository(p); clean[i] == "" {
			return ""
		}
	}
	return repository(strings.Join(clean, "/"))
}

// reference takes a tag and a digest as they were sent. What is not valid is
// absent, and a digest in the tag's place is one. No tag ever becomes latest.
func reference(tag, digest string) (string, events.Digest) {
	d, err := events.ParseDigest(digest)
	if err != nil {
		d = ""
	}
	if events.ValidTag(tag) {
		return tag, d
	}
	if moved, err := events.ParseDigest(tag); err == nil {
		return "", moved
	}
	return "", d
}

// mediaType is a media type without parameters, or blank where s is none.
func mediaType(s string) string {
	const most = 255
	if len(s) > most {
		return ""
	}
	if isManifest(s) { // most are
		return s
	}
	t, _, err := mime.ParseMediaType(s)
	if err != nil || !strings.Contains(t, "/") {
		return ""
	}
	return t
}

// actor is who did it, as far as it can be shown on one line.
func actor(s string) string {
	const most = 256
	s = strings.TrimSpace(s)
	if len(s) > most || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return s
}

// mostParts bounds what one delivery may list. The longest lists that any sender
// makes are Event Grid's, of 5,000 events.
const mostParts = 10_000

// zeroID is what some senders put where they have none.
const zeroID = "00000000-0000-0000-0000-000000000000"

// identity makes a sender's id fit for an event's: one that is too long or
// cannot be printed stands as its hash. Blank where there is none.
func identity(s string) string {
	const most = 200
	if s == "" || s == zeroID {
		return ""
	}
	odd := func(r rune) bool { return r <= ' ' || r >= unicode.MaxASCII }
	if len(s) > most || strings.ContainsFunc(s, odd) {
		return hash(s)
	}
	return s
}

// hash is an identity made of what identifies a fact where the sender's id
// does not.
func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return "hash-" + hex.EncodeToString(sum[:])
}

// The media types of manifests.
const (
	dockerManifest   = "application/vnd.docker.distribution.manifest.v2+json"
	dockerIndex      = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerSchema1    = "application/vnd.docker.distribution.manifest.v1+json"
	dockerSchema1JWS = "application/vnd.docker.distribution.manifest.v1+prettyjws"
	ociManifest      = "application/vnd.oci.image.manifest.v1+json"
	ociIndex         = "application/vnd.oci.image.index.v1+json"
	ociArtifact      = "application/vnd.oci.artifact.manifest.v1+json"
	orasArtifact     = "application/vnd.cncf.oras.artifact.manifest.v1+json"
)

func isIndex(mediaType string) bool { return mediaType == dockerIndex || mediaType == ociIndex }

// isArtifact reports whether a manifest is of a type that no image has. Both are
// of the past, and there still are registries full of them.
func isArtifact(mediaType string) bool { return mediaType == ociArtifact || mediaType == orasArtifact }

func isManifest(mediaType string) bool {
	switch mediaType {
	case dockerManifest, dockerSchema1, dockerSchema1JWS, ociManifest:
		return true
	default:
		return isIndex(mediaType) || isArtifact(mediaType)
	}
}

// The media types of configurations that tell what a manifest holds. An OCI
// manifest's own type does not: a chart's is the same as an image's.
const (
	dockerConfig = "application/vnd.docker.container.image.v1+json"
	ociConfig    = "application/vnd.oci.image.config.v1+json"
	helmConfig   = "application/vnd.cncf.helm.config.v1+json"
)

// classOfConfig is what a manifest with a configuration of this type holds.
func classOfConfig(mediaType string) events.Class {
	switch mediaType {
	case dockerConfig, ociConfig:
		return events.ClassImage
	case helmConfig:
		return events.ClassChart
	default:
		return events.ClassUnknown
	}
}

var attachedTag = regexp.MustCompile(`^sha256-[0-9a-f]{64}(\.(?:sig|att|sbom))?$`)

// classOfTag tells whether a tag is one under which something is attached to
// an image: cosign's, or the fallback tag of an image's referrers.
func classOfTag(tag string) (events.Class, bool) {
	switch found := attachedTag.FindStringSubmatch(tag); {
	case found == nil:
		return "", false
	case found[1] == "":
		return events.ClassReferrer, true
	default:
		return events.ClassSignature, true
	}
}

// pushed completes a push: only what may be an image is image.pushed.
func (f Fact) pushed(class events.Class) Fact {
	if isNoImage(class) {
		return f.other(class)
	}
	return f.of(events.ImagePushed, events.ActionPush, class)
}

// of completes it, unless its tag says that it is about no image.
func (f Fact) of(kind events.Kind, action events.Action, class events.Class) Fact {
	if attached, ok := classOfTag(f.Tag); ok {
		return f.other(attached)
	}
	f.Kind, f.Action, f.Class = kind, action, class
	return f
}

// other makes it an event that starts nothing.
func (f Fact) other(class events.Class) Fact {
	f.Kind, f.Action, f.Class = events.RegistryOther, events.ActionOther, class
	return f
}
