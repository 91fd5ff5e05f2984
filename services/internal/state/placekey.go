package state

import (
	"strings"

	"github.com/landwaiter/landwaiter/events"
)

// PlaceKey names a place: part.registry.repository.digest, where part is the
// beginning of the digest. The broker keeps keys in a tree by their beginnings.
// A repository's places are found in one step for each part there is, and an
// image's by going through one part of all places; with either name in front of
// the key the other question would go through all of them.
func PlaceKey(d events.Digest, registry, repository string) string {
	return placePart(d) + "." + registry + "." + repositoryToken(repository) + "." + d.Token()
}

// PlacesOfImage filters the places of one image.
func PlacesOfImage(d events.Digest) string { return placePart(d) + ".*.*." + d.Token() }

// PlacesOfRepository filters the places in one repository.
func PlacesOfRepository(registry, repository string) string {
	return "*." + registry + "." + repositoryToken(repository) + ".*"
}

// PlacesOfRegistry filters the places at one registry.
func PlacesOfRegistry(registry string) string { return "*." + registry + ".*.*" }

// placePart is one of 256.
func placePart(d events.Digest) string {
	_, hash, _ := strings.Cut(string(d), ":")
	return hash[:min(len(hash), 2)]
}

// repositoryToken makes a repository one token of a key: its grammar has no
// equals sign, which here stands for a dot.
func repositoryToken(repository string) string { return strings.ReplaceAll(repository, ".", "=") }
