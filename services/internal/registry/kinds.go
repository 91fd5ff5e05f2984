package registry

import (
	"slices"
	"strings"
)

// classOf tells what a well-formed manifest describes, from the types it
// names; tags and names prove nothing.
func classOf(doc manifestDoc, mediaType string) (class Class, reason string) {
	configType := ""
	if doc.Config != nil {
		configType = doc.Config.MediaType
	}
	layers := make([]string, 0, len(doc.Layers))
	for _, l := range doc.Layers {
		layers = append(layers, l.MediaType)
	}
	types := append([]string{doc.ArtifactType, configType}, layers...)
	switch {
	case slices.ContainsFunc(types, isSignature):
		return Signature, ""
	case doc.Subject != nil:
		return Referrer, ""
	case isIndex(doc, mediaType):
		return Index, ""
	case slices.ContainsFunc(types, isChart):
		return Chart, ""
	case isImageConfig(configType):
		return Image, ""
	case configType == "application/octet-stream" && len(layers) > 0 && !slices.ContainsFunc(layers, isNoLayer):
		return Image, "" // as Docker 1.10 pushed them
	case doc.ArtifactType != "":
		return Unknown, "artifact of type " + cut(doc.ArtifactType)
	case configType != "":
		return Unknown, "artifact with a configuration of type " + cut(configType)
	}
	return Unknown, "neither an image nor an index: media type " + cut(mediaType)
}

func isIndex(doc manifestDoc, mediaType string) bool {
	switch mediaType {
	case "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json":
		return doc.Config == nil && len(doc.Layers) == 0
	}
	return len(doc.Manifests) > 0
}

func isImageConfig(t string) bool {
	return t == "application/vnd.oci.image.config.v1+json" || t == "application/vnd.docker.container.image.v1+json"
}

func isNoLayer(t string) bool {
	return !strings.HasPrefix(t, "application/vnd.docker.image.rootfs.") && !strings.HasPrefix(t, "application/vnd.oci.image.layer.")
}

func isChart(t string) bool {
	return strings.HasPrefix(t, "application/vnd.cncf.helm.") || strings.HasPrefix(t, "application/vnd.acr.helm.")
}

// isSignature knows cosign, Notary and sigstore, and the attestations that
// BuildKit and cosign wrap in what looks like an image.
func isSignature(t string) bool {
	for _, prefix := range []string{
		"application/vnd.dev.cosign.", "application/vnd.dev.sigstore.", "application/vnd.cncf.notary.",
		"application/vnd.in-toto", "application/vnd.dsse.envelope.",
	} {
		if strings.HasPrefix(t, prefix) {
			return true
		}
	}
	return false
}
