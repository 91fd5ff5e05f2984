package source

import "strings"

// splitReference takes a full reference apart: [scheme://]host/repository, with
// a tag, a digest or both. The host is dropped.
func splitReference(s string) (name, tag, digest string) {
	_, rest, url := strings.Cut(s, "://")
	if url {
		s = rest
	}
	s, digest, _ = strings.Cut(s, "@")
	if host, path, ok := strings.Cut(s, "/"); ok && (url || strings.ContainsAny(host, ".:") || host == "localhost") {
		s = path
	}
	last := strings.LastIndex(s, "/") + 1
	short, tag, _ := strings.Cut(s[last:], ":")
	return s[:last] + short, tag, digest
}

// underHost is the same for one that always begins with a host, even a host
// that does not look like one.
func underHost(s string) (name, tag, digest string) {
	if !strings.Contains(s, "://") {
		s = "oci://" + s
	}
	return splitReference(s)
}

// placed is a fact with what a sender says about where it was. What does not
// pass as a repository is read as a full reference; a tag and a digest that are
// given apart count more than those in it.
func (f Fact) placed(name, tag, digest string) Fact {
	f.Repository = repository(name)
	f.Tag, f.Digest = reference(tag, digest)
	if f.Repository != "" {
		return f
	}
	path, innerTag, innerDigest := splitReference(strings.TrimSpace(name))
	f.Repository = repository(path)
	t, d := reference(innerTag, innerDigest)
	if f.Tag == "" {
		f.Tag = t
	}
	if f.Digest == "" {
		f.Digest = d
	}
	return f
}
