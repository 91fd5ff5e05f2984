package registry

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// nexus adds to the plain lists what Nexus Repository's own interface tells of
// tags: their digests and when they were set. The interface is at the
// registry's address where Nexus routes by path or behind a proxy; a connector
// with a port of its own has none, and is listed in the plain way:
// https://help.sonatype.com/en/search-api.html
type nexus struct {
	*keyed

	none atomic.Bool // the address has no such interface
}

func newNexus(c *Client) vendor {
	a := newAPI(c, c.base, c.basic)
	return &nexus{keyed: &keyed{
		api: a, client: c,
		// A docker repository's registry is below its own path, too:
		// https://help.sonatype.com/en/docker-registry.html
		catalogOf: func(key string) string { return "/repository/" + key + "/v2/_catalog" },
		keys: func(ctx context.Context) ([]string, error) {
			var answer []struct {
				Name   string `json:"name"`
				Format string `json:"format"`
			}
			if _, err := a.get(ctx, target{op: "list docker repositories"}, "/service/rest/v1/repositories", nil, &answer); err != nil {
				return nil, err
			}
			var keys []string
			for _, r := range answer {
				if r.Format == "docker" {
					keys = append(keys, r.Name)
				}
			}
			return keys, tooMany(keys)
		},
	}}
}

// tags asks for the image by its name and, where there is none, by the name
// behind the repository's, as paths are routed. What several repositories have
// under one name says nothing of the one that is asked.
func (x *nexus) tags(ctx context.Context, repo, at string, _ int) ([]Tag, string, error) {
	if x.none.Load() {
		return nil, "", errPlain
	}
	where, token, begun := strings.Cut(at, " ")
	key, image, deep := strings.Cut(repo, "/")
	if begun && where == "" || !begun {
		page, next, err := x.search(ctx, repo, url.Values{"docker.imageName": {repo}}, token)
		if err != nil || len(page) > 0 || begun || !deep {
			return page, mark(next, " "), err
		}
	}
	page, next, err := x.search(ctx, repo, url.Values{"repository": {key}, "docker.imageName": {image}}, token)
	if err == nil && len(page) == 0 && !begun {
		return nil, "", errPlain
	}
	return page, mark(next, "path "), err
}

func mark(next, where string) string {
	if next == "" {
		return ""
	}
	return where + next
}

func (x *nexus) search(ctx context.Context, repo string, query url.Values, token string) ([]Tag, string, error) {
	var answer struct {
		Items []struct {
			Repository string `json:"repository"`
			Version    string `json:"version"`
			Assets     []struct {
				Path     string    `json:"path"`
				Modified time.Time `json:"lastModified"`
				Checksum struct {
					SHA256 string `json:"sha256"`
				} `json:"checksum"`
			} `json:"assets"`
		} `json:"items"`
		Next string `json:"continuationToken"`
	}
	query.Set("format", "docker")
	if token != "" {
		query.Set("continuationToken", token)
	}
	_, err := x.api.get(ctx, target{op: "list tags", repo: repo}, "/service/rest/v1/search", query, &answer)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalid) || errors.Is(err, ErrUnsupported) {
		x.none.Store(true)
		return nil, "", errPlain
	}
	if err != nil {
		return nil, "", err
	}
	var tags []Tag
	for _, item := range answer.Items {
		if item.Repository != answer.Items[0].Repository {
			return nil, "", errPlain
		}
		tag := Tag{Name: item.Version}
		for _, a := range item.Assets {
			if strings.HasSuffix(a.Path, "/manifests/"+item.Version) && a.Checksum.SHA256 != "" {
				tag.Digest, tag.Pushed = "sha256:"+a.Checksum.SHA256, a.Modified.UTC()
			}
		}
		if !slices.ContainsFunc(tags, func(t Tag) bool { return t.Name == tag.Name }) {
			tags = append(tags, tag)
		}
	}
	return tags, answer.Next, nil
}
