package registry

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// jfrog lists what Artifactory's docker repositories have. Where each has a
// host name or port of its own, the plain catalog is right; where they are the
// first part of an image's path, there is one catalog for each:
// https://jfrog.com/help/r/jfrog-rest-apis/list-docker-repositories
type jfrog struct {
	api    *api
	client *Client
}

func (j *jfrog) catalog(ctx context.Context, s scope, at string, n int) ([]string, string, error) {
	if at == "" {
		page, next, err := j.client.plainCatalog(ctx, "", n)
		if err == nil && (len(page) > 0 || next != "") {
			return nil, "", errPlain
		}
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnsupported) {
			return nil, "", err
		}
	}
	keys := s.namespaces
	if s.open {
		var err error
		if keys, err = j.keys(ctx); err != nil {
			return nil, "", err
		}
	}
	return within(ctx, keys, at, func(ctx context.Context, key, at string) ([]string, string, error) {
		return j.images(ctx, key, at, n)
	})
}

// keys lists the docker repositories:
// https://jfrog.com/help/r/jfrog-rest-apis/get-repositories
func (j *jfrog) keys(ctx context.Context) ([]string, error) {
	var answer []struct {
		Key string `json:"key"`
	}
	_, err := j.api.get(ctx, target{op: "list docker repositories"}, "/artifactory/api/repositories", url.Values{"packageType": {"docker"}}, &answer)
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(answer))
	for _, r := range answer {
		keys = append(keys, r.Key)
	}
	return keys, tooMany(keys)
}

func (j *jfrog) images(ctx context.Context, key, at string, n int) ([]string, string, error) {
	query := url.Values{"n": {wish(n, largestPage)}}
	if at != "" {
		query.Set("last", at)
	}
	var answer struct {
		Repositories []string `json:"repositories"`
	}
	path := "/artifactory/api/docker/" + url.PathEscape(key) + "/v2/_catalog"
	header, err := j.api.call(ctx, target{op: "list repositories of " + cut(key)}, question{method: http.MethodGet, path: path, query: query}, &answer)
	if err != nil {
		return nil, "", err
	}
	page := make([]string, 0, len(answer.Repositories))
	for _, name := range answer.Repositories {
		page = append(page, key+"/"+name)
	}
	cursor, err := nextCursor(header.Values("Link"), path)
	if err != nil || cursor == "" {
		return page, "", err
	}
	last, err := url.ParseQuery(cursor)
	if err != nil {
		return nil, "", err
	}
	return page, last.Get("last"), nil
}

func (j *jfrog) tags(context.Context, string, string, int) ([]Tag, string, error) {
	return nil, "", errPlain
}
