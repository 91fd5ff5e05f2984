package registry

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Tag is an entry of a repository's list of tags.
type Tag struct {
	Name   string
	Digest string    // of what it leads to; blank: the list does not say, Head does
	Pushed time.Time // zero: the list does not say
}

// vendor lists what a registry has in a way of its own, because the registry
// has no catalog, tells only a part in it, or knows digests and push dates that
// the plain lists lack. Positions are its own; blank is the beginning and the
// end.
type vendor interface {
	catalog(ctx context.Context, s scope, at string, n int) (page []string, next string, err error)
	tags(ctx context.Context, repo, at string, n int) (page []Tag, next string, err error)
}

// errPlain is a vendor's word that the registry's own list is as good.
var errPlain = errors.New("as every registry does")

// newVendor knows the types whose plain lists are not enough; nil for all the
// others, and where the credential is none that the vendor's interface takes.
// An interface at a host of its own gets the credential only where the registry
// is that vendor's: a registry's type alone must not send it away.
func newVendor(c *Client, cfg config.Registry, cred config.Resolved) vendor {
	kind := cfg.Kind()
	switch {
	case kind == config.DockerHub && c.host == config.HubHost:
		return newHub(c, cred, hubAPI)
	case kind == config.GHCR && c.host == "ghcr.io":
		return newGitHub(c, gitHubAPI)
	case kind == config.GAR && strings.HasSuffix(c.host, garHost):
		return newGAR(c, garAPI)
	case kind == config.GCR && gcrLocation(c.host) != "":
		return newGCR(c, garAPI)
	}
	if login, ok := c.auth.(*ecrLogin); ok && kind == config.ECR {
		return login.ecr
	}
	return ownVendor(c, kind, cred)
}

// ownVendor knows those whose interface is at the registry itself.
func ownVendor(c *Client, kind config.RegistryType, cred config.Resolved) vendor {
	switch kind {
	case config.Quay:
		return newQuay(c, cred)
	case config.Harbor:
		return &harbor{api: newAPI(c, c.base, c.basic)}
	case config.MSR:
		return &msr{api: newAPI(c, c.base, c.basic)}
	case config.JFrog:
		return newJFrog(c)
	case config.Nexus:
		return newNexus(c)
	case config.Zot:
		return &zot{api: newAPI(c, c.base, c.basic)}
	case config.ACR:
		return &acr{client: c}
	case config.GitLab:
		return &gitlab{client: c, cred: cred}
	default:
		return nil
	}
}

// vendorMark begins the positions in a vendor's list, so that they are told
// from those in a plain one.
const vendorMark = "@"

// Catalog lists one page of the registry's repositories: at least all that
// match one of the patterns, none meaning all. after is blank for the first
// page and what the last call returned as next for the others; a blank next
// ends the list. n is a wish, 1 to 1000, 0 for 100. A list counts as complete
// only when its last page came without an error. The patterns matter where a
// registry has no list of everything: there each is to begin with the name of
// a namespace, organization, project or group.
func (c *Client) Catalog(ctx context.Context, patterns []string, after string, n int) (page []string, next string, err error) {
	s := scopeOf(patterns)
	own := func(at string) ([]string, string, error) {
		page, next, err := c.vendor.catalog(ctx, s, at, n)
		if at == "" && err == nil && !s.open {
			page = append(s.exact, page...)
		}
		return page, next, err
	}
	page, next, err = either(c, after, own, func(at string) ([]string, string, error) { return c.plainCatalog(ctx, at, n) })
	if err != nil {
		return nil, "", err
	}
	return slices.DeleteFunc(page, func(s string) bool { return !IsRepository(s) }), next, nil
}

// Tags lists one page of a repository's tags, as Catalog does. Where the list
// tells a tag's digest, it need not be asked for.
func (c *Client) Tags(ctx context.Context, repo, after string, n int) (page []Tag, next string, err error) {
	if t := (target{op: "list tags", repo: repo}); !IsRepository(repo) {
		return nil, "", c.wrap(t, fmt.Errorf("%w: not a repository", ErrInvalid))
	}
	own := func(at string) ([]Tag, string, error) { return c.vendor.tags(ctx, repo, at, n) }
	page, next, err = either(c, after, own, func(at string) ([]Tag, string, error) { return c.plainTags(ctx, repo, at, n) })
	if err != nil {
		return nil, "", err
	}
	kept := page[:0]
	for _, t := range page {
		if t.Digest != "" && !IsDigest(t.Digest) {
			t.Digest = ""
		}
		if IsTag(t.Name) {
			kept = append(kept, t)
		}
	}
	return kept, next, nil
}

// either asks the vendor's list first, and the plain one where there is no
// vendor's, or it does not take the credential. A list that was begun in one
// way goes on in it.
func either[T any](c *Client, after string, own, plain func(at string) ([]T, string, error)) ([]T, string, error) {
	after, trail, err := cutTrail(after)
	if err != nil {
		return nil, "", fmt.Errorf("registry %s: %w", c.name, err)
	}
	page, next, err := listed(c, after, own, plain)
	if err != nil {
		return nil, "", err
	}
	if next, err = trail.follow(next); err != nil {
		return nil, "", fmt.Errorf("registry %s: %w", c.name, err)
	}
	return page, next, nil
}

func listed[T any](c *Client, after string, own, plain func(at string) ([]T, string, error)) ([]T, string, error) {
	at, begun := strings.CutPrefix(after, vendorMark)
	if c.vendor == nil || after != "" && !begun || after == "" && c.vendorless.Load() {
		return plain(after)
	}
	page, next, err := own(at)
	if err == nil {
		next, err = c.mark(next)
	}
	fallback := errors.Is(err, errPlain) || errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrNotFound)
	if begun || !fallback {
		return page, next, err
	}
	page, next, plainErr := plain(after)
	if errors.Is(err, errPlain) {
		return page, next, plainErr
	}
	if plainErr != nil {
		return nil, "", err // what the vendor says of itself is the better hint
	}
	if _, refused := errors.AsType[noLoginError](err); refused {
		c.vendorless.Store(true) // until the configuration changes, and the client with it
	}
	return page, next, nil
}

// mark makes a position one of the vendor's list.
func (c *Client) mark(next string) (string, error) {
	if len(next) > maxCursor {
		return "", fmt.Errorf("registry %s: %w: page cursor of %d bytes", c.name, ErrInvalid, len(next))
	}
	if next == "" {
		return "", nil
	}
	return vendorMark + next, nil
}

// scope is the part of a catalog that is wanted.
type scope struct {
	exact      []string // repositories in none of the namespaces
	namespaces []string // first elements of repositories
	open       bool     // what is wanted may be in any namespace
}

func scopeOf(patterns []string) scope {
	s := scope{open: len(patterns) == 0}
	var exact []string
	for _, p := range patterns {
		first, _, deep := strings.Cut(p, "/")
		switch {
		case !strings.Contains(p, "*"):
			exact = append(exact, p)
		case !deep || strings.Contains(first, "*"):
			s.open = true
		case !slices.Contains(s.namespaces, first):
			s.namespaces = append(s.namespaces, first)
		}
	}
	for _, p := range exact {
		if first, _, _ := strings.Cut(p, "/"); !slices.Contains(s.namespaces, first) && !slices.Contains(s.exact, p) {
			s.exact = append(s.exact, p)
		}
	}
	return s
}

// needs is the error of a registry that has no list of everything.
func (scope) needs(c *Client, vendor, example string) error {
	return c.wrap(target{op: "list repositories"},
		fmt.Errorf("%w: %s has no list of all repositories: begin each of the rule's repositories with a name, as %s",
			ErrUnsupported, vendor, example))
}

// maxParts bounds the projects or repository keys of one catalog.
const maxParts = 10_000

func tooMany(parts []string) error {
	if len(parts) > maxParts {
		return fmt.Errorf("%w: more than %d parts of the catalog", ErrTooLarge, maxParts)
	}
	return nil
}

// within lists one part of a catalog after the other. The position says which
// part is being listed, and where in it the list stands.
func within(
	ctx context.Context, parts []string, at string,
	list func(ctx context.Context, part, at string) ([]string, string, error),
) ([]string, string, error) {
	if len(parts) == 0 {
		return nil, "", nil
	}
	q, err := url.ParseQuery(at)
	if err != nil {
		return nil, "", fmt.Errorf("%w: page cursor", ErrInvalid)
	}
	i := 0
	if at != "" {
		if i = slices.Index(parts, q.Get("in")); i < 0 {
			return nil, "", fmt.Errorf("%w: the catalog has changed while it was listed", ErrInvalid)
		}
	}
	page, next, err := list(ctx, parts[i], q.Get("at"))
	switch {
	case err != nil:
		return nil, "", err
	case next != "":
		return page, url.Values{"in": {parts[i]}, "at": {next}}.Encode(), nil
	case i+1 < len(parts):
		return page, url.Values{"in": {parts[i+1]}}.Encode(), nil
	}
	return page, "", nil
}
