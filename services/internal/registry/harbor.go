package registry

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// harbor lists what the credential may see; the catalog is the system
// administrator's alone:
// https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml
type harbor struct{ api *api }

const harborPage = 100 // the most it gives

func (h *harbor) catalog(ctx context.Context, s scope, at string, n int) ([]string, string, error) {
	if s.open {
		return h.repositories(ctx, "/api/v2.0/repositories", at, n)
	}
	return within(ctx, s.namespaces, at, func(ctx context.Context, project, at string) ([]string, string, error) {
		return h.repositories(ctx, "/api/v2.0/projects/"+url.PathEscape(project)+"/repositories", at, n)
	})
}

func (h *harbor) repositories(ctx context.Context, path, at string, n int) ([]string, string, error) {
	page, err := pageOf(at)
	if err != nil {
		return nil, "", err
	}
	var answer []struct {
		Name string `json:"name"` // with the project's
	}
	if _, err := h.api.get(ctx, target{op: "list repositories"}, path, h.query(page, n), &answer); err != nil {
		return nil, "", err
	}
	found := make([]string, 0, len(answer))
	for _, r := range answer {
		found = append(found, r.Name)
	}
	return found, pageAfter(page, len(answer) == atMost(n, harborPage)), nil
}

func (h *harbor) query(page, n int) url.Values {
	return url.Values{"page": {strconv.Itoa(page)}, "page_size": {wish(n, harborPage)}}
}

// tags lists artifacts, whose tags come with them.
func (h *harbor) tags(ctx context.Context, repo, at string, n int) ([]Tag, string, error) {
	page, err := pageOf(at)
	if err != nil {
		return nil, "", err
	}
	project, name, found := strings.Cut(repo, "/")
	if !found {
		return nil, "", errPlain
	}
	var answer []struct {
		Digest string    `json:"digest"`
		Pushed time.Time `json:"push_time"`
		Tags   []struct {
			Name string `json:"name"`
		} `json:"tags"`
	}
	// The name is one element of the path, whose slashes are escaped twice.
	path := "/api/v2.0/projects/" + url.PathEscape(project) + "/repositories/" +
		url.PathEscape(url.PathEscape(name)) + "/artifacts"
	query := h.query(page, n)
	query.Set("with_tag", "true")
	if _, err := h.api.get(ctx, target{op: "list tags", repo: repo}, path, query, &answer); err != nil {
		return nil, "", err
	}
	var tags []Tag
	for _, a := range answer {
		for _, t := range a.Tags {
			tags = append(tags, Tag{Name: t.Name, Digest: a.Digest, Pushed: a.Pushed})
		}
	}
	return tags, pageAfter(page, len(answer) == atMost(n, harborPage)), nil
}
