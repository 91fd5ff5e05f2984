package source

import (
	"slices"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// classOfArtifact is what a manifest of this artifact type, or with a
// configuration of this type, holds, as far as the type is a known one.
func classOfArtifact(mediaType string) events.Class {
	switch {
	case strings.HasPrefix(mediaType, "application/vnd.dev.cosign."),
		strings.HasPrefix(mediaType, "application/vnd.dev.sigstore.bundle"),
		mediaType == "application/vnd.cncf.notary.signature":
		return events.ClassSignature
	case isStatement(mediaType):
		return events.ClassReferrer
	case strings.Contains(mediaType, ".helm."): // OCI charts, and the kind ACR had before
		return events.ClassChart
	default:
		return classOfConfig(mediaType)
	}
}

// classOfContent is what a manifest with a configuration and layers of these
// types holds. Attestations and signatures may come with an image's
// configuration, as BuildKit's and cosign's do: only their layers tell.
func classOfContent(config string, layers []string) events.Class {
	class := classOfArtifact(mediaType(config))
	if class == events.ClassChart || len(layers) == 0 {
		return class
	}
	first := classOfArtifact(mediaType(layers[0]))
	same := func(layer string) bool { return classOfArtifact(mediaType(layer)) == first }
	if first != events.ClassSignature && first != events.ClassReferrer || !all(layers, same) {
		return class
	}
	return first
}

func all[T any](list []T, is func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !is(v) })
}

// isStatement reports whether something of this type is said about an image:
// a bill of materials, an attestation, the result of a scan.
func isStatement(mediaType string) bool {
	switch mediaType {
	case "application/spdx+json", "text/spdx", "text/spdx+json", "text/sbom+json",
		"application/vnd.cyclonedx", "application/vnd.cyclonedx+json", "application/vnd.cyclonedx+xml",
		"application/vnd.syft+json", "application/vnd.in-toto+json", "application/vnd.dsse.envelope.v1+json", "application/sarif+json":
		return true
	default:
		return false
	}
}

// classOfMedia is the same for a sender that has one media type for all: the
// manifest's, the configuration's or a layer's.
func classOfMedia(mediaType string) events.Class {
	switch {
	case isIndex(mediaType):
		return events.ClassIndex
	case isArtifact(mediaType):
		return events.ClassReferrer
	case mediaType == "application/octet-stream",
		strings.Contains(mediaType, ".image.layer."), strings.Contains(mediaType, ".image.rootfs."):
		return events.ClassLayer
	default:
		return classOfArtifact(mediaType)
	}
}

// isNoImage reports whether a class is proof that there is nothing to scan.
func isNoImage(c events.Class) bool {
	return c == events.ClassChart || c == events.ClassSignature || c == events.ClassReferrer
}

// happened completes a fact by what happened to a thing of a class. A deletion
// that names nothing valid is not taken for one of the whole repository.
func (f Fact) happened(a events.Action, class events.Class) (Fact, Reason) {
	blob := class == events.ClassLayer
	switch {
	case f.Repository == "" && a == events.ActionOther:
		return f, NotAnImage
	case f.Repository == "":
		return f, NoRepository
	case a == events.ActionOther, isNoImage(class):
		return f.other(class), ""
	case !f.named():
		return f, NoReference
	case a == events.ActionPush:
		return f.distributionPush(blob, class)
	case a == events.ActionPull:
		return f.distributionPull(blob)
	default:
		return f.distributionDelete(blob)
	}
}

// identified gives a fact whose sender has no ids one of its own. Only content
// at a time happens once: a tag alone may have moved between two deliveries.
func (f Fact) identified() Fact {
	if f.ID == "" && f.Digest != "" && !f.OccurredAt.IsZero() {
		f.ID = hash(string(f.Kind), f.Repository, f.Tag, string(f.Digest), f.OccurredAt.Format(time.RFC3339Nano))
	}
	return f
}
