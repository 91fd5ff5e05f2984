package source

import (
	"fmt"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/landwaiter/landwaiter/events"
)

// cdArtifactPrefix begins the types of CDEvents about artifacts, as
// dev.cdevents.artifact.published.0.2.0.
const cdArtifactPrefix = "dev.cdevents.artifact."

// cdEvent is the part of a CDEvent (cdevents.dev) that tells of an artifact.
type cdEvent struct {
	Subject struct {
		ID      string `json:"id"`
		Content struct {
			ArtifactID string `json:"artifactId"`
			PURL       string `json:"purl"`
			User       string `json:"user"`
		} `json:"content"`
	} `json:"subject"`
}

func (e cloudEvent) cdArtifact() (Batch, error) {
	var c cdEvent
	if err := decodeMost(e.content(), &c); err != nil {
		return Batch{}, fmt.Errorf("decode data of %s: %w", e.Type, err)
	}
	p, err := c.purl()
	if err != nil {
		return Batch{}, fmt.Errorf("decode data of %s: %w", e.Type, err)
	}
	f := e.factOfSource()
	if p.Type != packageurl.TypeOCI {
		return single(f, NotAnImage), nil
	}
	tags := p.Qualifiers.Map()
	f.Repository = ociRepository(p.Name, tags["repository_url"])
	f.Tag, f.Digest = reference(tags["tag"], p.Version)
	f.Actor = actor(c.Subject.Content.User)
	verb, _, _ := strings.Cut(strings.TrimPrefix(e.Type, cdArtifactPrefix), ".")
	return single(f.happened(cdAction(verb), events.ClassUnknown)), nil
}

// purl is the first package URL among the places where senders put it.
func (c cdEvent) purl() (packageurl.PackageURL, error) {
	s := c.Subject.ID
	for _, other := range []string{c.Subject.Content.ArtifactID, c.Subject.Content.PURL} {
		if !strings.HasPrefix(s, "pkg:") {
			s = other
		}
	}
	p, err := packageurl.FromString(s)
	if err != nil {
		return p, fmt.Errorf("read package URL of the subject: %w", err)
	}
	return p, nil
}

// cdAction is what happened in the registry. What is packaged or signed has not
// been pushed yet, or had been before.
func cdAction(verb string) events.Action {
	switch verb {
	case "published":
		return events.ActionPush
	case "deleted":
		return events.ActionDelete
	case "downloaded":
		return events.ActionPull
	default:
		return events.ActionOther
	}
}

// ociRepository is the repository of a package URL of type oci, whose name is
// the last part of the repository only. Some senders leave that part out of the
// URL, or the URL as a whole.
func ociRepository(name, url string) string {
	path, _, _ := splitReference(url)
	path = strings.ToLower(strings.Trim(path, "/"))
	name = strings.ToLower(name)
	switch {
	case path == name, strings.HasSuffix(path, "/"+name):
		return repository(path)
	case !strings.Contains(strings.Trim(url, "/"), "/"): // a host alone
		return repository(name)
	default:
		return repository(path + "/" + name)
	}
}
