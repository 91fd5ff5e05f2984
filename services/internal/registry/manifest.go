package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

const (
	maxManifest  = 4 << 20 // what registries accept
	maxConfig    = 8 << 20
	smallTimeout = time.Minute // for an answer of at most a few MiB
)

// acceptManifests names the types a manifest may come in; registries convert
// or refuse what is not named.
const acceptManifests = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, " +
	"application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, " +
	"application/vnd.docker.distribution.manifest.v1+prettyjws, application/vnd.docker.distribution.manifest.v1+json"

// Descriptor names content by digest.
type Descriptor struct {
	Digest    string
	MediaType string // as the registry or the manifest gives it; may be blank
	Size      int64  // bytes; -1: unknown
	Foreign   bool   // to be fetched from elsewhere, and therefore never fetched
}

// Head resolves a tag, or confirms a digest, without reading the manifest;
// Docker Hub does not count it as a pull.
func (c *Client) Head(ctx context.Context, repo, ref string) (Descriptor, error) {
	t := target{op: "resolve", repo: repo, ref: ref}
	if err := t.check(); err != nil {
		return Descriptor{}, c.wrap(t, err)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	resp, err := c.do(ctx, http.MethodHead, t, path(repo, "manifests", ref), "", manifestHeader())
	if err != nil {
		return Descriptor{}, err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		return Descriptor{}, c.refused(t, resp)
	}
	d := Descriptor{
		Digest:    resp.Header.Get("Docker-Content-Digest"),
		MediaType: mediaType(resp),
		Size:      resp.ContentLength,
	}
	switch {
	case d.Digest == "":
		return c.headByGet(ctx, t)
	case !IsDigest(d.Digest):
		return Descriptor{}, c.wrap(t, fmt.Errorf("%w: digest header %q", ErrInvalid, cut(d.Digest)))
	case IsDigest(ref) && d.Digest != ref:
		return Descriptor{}, c.wrap(t, fmt.Errorf("%w: answered with %s", ErrInvalid, d.Digest))
	}
	return d, nil
}

// headByGet is for registries that leave the digest out of their answer.
func (c *Client) headByGet(ctx context.Context, t target) (Descriptor, error) {
	raw, mt, err := c.getManifest(ctx, t)
	if err != nil {
		return Descriptor{}, err
	}
	d := Descriptor{Digest: digestOf(raw), MediaType: mt, Size: int64(len(raw))}
	if IsDigest(t.ref) {
		if err := verify(raw, t.ref); err != nil {
			return Descriptor{}, c.wrap(t, err)
		}
		d.Digest = t.ref
	}
	return d, nil
}

// Manifest reads a manifest of at most 4 MiB and verifies it against its
// digest. The media type is the registry's word for it.
func (c *Client) Manifest(ctx context.Context, repo, digest string) (raw []byte, mediaType string, err error) {
	t := target{op: "read manifest", repo: repo, ref: digest}
	if err := t.checkDigest(); err != nil {
		return nil, "", c.wrap(t, err)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	raw, mediaType, err = c.getManifest(ctx, t)
	if err != nil {
		return nil, "", err
	}
	if err := verify(raw, digest); err != nil {
		return nil, "", c.wrap(t, err)
	}
	return raw, mediaType, nil
}

func (c *Client) getManifest(ctx context.Context, t target) ([]byte, string, error) {
	resp, err := c.do(ctx, http.MethodGet, t, path(t.repo, "manifests", t.ref), "", manifestHeader())
	if err != nil {
		return nil, "", err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		return nil, "", c.refused(t, resp)
	}
	raw, err := readAll(resp.Body, resp.ContentLength, maxManifest)
	if err != nil {
		return nil, "", c.broken(ctx, t, err)
	}
	return raw, mediaType(resp), nil
}

// Config reads an image's configuration of at most 8 MiB and verifies it
// against its digest.
func (c *Client) Config(ctx context.Context, repo, digest string) ([]byte, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	body, size, err := c.Blob(ctx, repo, digest)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	t := target{op: "read configuration", repo: repo, ref: digest}
	raw, err := readAll(body, size, maxConfig)
	if err != nil {
		return nil, c.broken(ctx, t, err)
	}
	if err := verify(raw, digest); err != nil {
		return nil, c.wrap(t, err)
	}
	return raw, nil
}

func manifestHeader() http.Header { return http.Header{"Accept": {acceptManifests}} }

func mediaType(resp *http.Response) string {
	mt, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return strings.ToLower(mt)
}

// readAll reads a body that may have limit bytes at most. size is what was
// announced, -1 for nothing.
func readAll(r io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrTooLarge, size, limit)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(io.LimitReader(r, limit+1)); err != nil {
		return nil, err
	}
	if int64(b.Len()) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return b.Bytes(), nil
}
