package registry

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

const gitHubAPI = "https://api.github.com"

// gitHub lists the packages of an organization or a user:
// https://docs.github.com/en/rest/packages/packages
// The interface wants a token even for what is public; a catalog that could be
// used there is none.
type gitHub struct {
	api       *api
	anonymous bool
}

func newGitHub(c *Client, base string) vendor {
	return &gitHub{api: newAPI(c, base, c.bearerOfPassword), anonymous: c.auth == authn.Anonymous}
}

func (g *gitHub) catalog(ctx context.Context, s scope, at string, n int) ([]string, string, error) {
	if s.open || g.anonymous && len(s.namespaces) > 0 {
		return nil, "", s.needs(g.api.client, "GitHub, without a token or a name to ask for,", "acme/*")
	}
	return within(ctx, s.namespaces, at, func(ctx context.Context, owner, at string) ([]string, string, error) {
		var answer []struct {
			Name string `json:"name"`
		}
		query := url.Values{"package_type": {"container"}}
		next, err := g.list(ctx, target{op: "list packages of " + cut(owner)}, owner, "/packages", query, at, n, &answer)
		if err != nil {
			return nil, "", err
		}
		page := make([]string, 0, len(answer))
		for _, p := range answer {
			page = append(page, strings.ToLower(owner+"/"+p.Name))
		}
		return page, next, nil
	})
}

func (g *gitHub) tags(ctx context.Context, repo, at string, n int) ([]Tag, string, error) {
	owner, name, found := strings.Cut(repo, "/")
	if !found || g.anonymous {
		return nil, "", errPlain
	}
	var answer []struct {
		Digest   string    `json:"name"`
		Created  time.Time `json:"created_at"`
		Metadata struct {
			Container struct {
				Tags []string `json:"tags"`
			} `json:"container"`
		} `json:"metadata"`
	}
	path := "/packages/container/" + url.PathEscape(name) + "/versions"
	next, err := g.list(ctx, target{op: "list tags", repo: repo}, owner, path, url.Values{}, at, n, &answer)
	if err != nil {
		return nil, "", err
	}
	var tags []Tag
	for _, v := range answer {
		for _, tag := range v.Metadata.Container.Tags {
			tags = append(tags, Tag{Name: tag, Digest: v.Digest, Pushed: v.Created})
		}
	}
	return tags, next, nil
}

// list asks for an organization's page, and where there is no such
// organization for a user's.
func (g *gitHub) list(ctx context.Context, t target, owner, path string, query url.Values, at string, n int, answer any) (string, error) {
	page, err := pageOf(at)
	if err != nil {
		return "", err
	}
	query.Set("per_page", wish(n, 100))
	query.Set("page", strconv.Itoa(page))
	var header http.Header
	for _, kind := range []string{"orgs", "users"} {
		header, err = g.api.get(ctx, t, "/"+kind+"/"+url.PathEscape(owner)+path, query, answer)
		if !errors.Is(err, ErrNotFound) {
			break
		}
	}
	if err != nil {
		return "", err
	}
	return pageAfter(page, goesOn(header.Values("Link"))), nil
}
