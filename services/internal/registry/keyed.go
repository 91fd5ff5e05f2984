package registry

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// keyed is a vendor that keeps several registries at one host. Where each has a
// host name or port of its own, the plain catalog is right; where their keys
// are the first part of an image's path, there is one catalog for each.
type keyed struct {
	api       *api
	client    *Client
	keys      func(ctx context.Context) ([]string, error) // all of them
	catalogOf func(key string) string                     // path of its catalog
}

func (k *keyed) catalog(ctx context.Context, s scope, at string, n int) ([]string, string, error) {
	if at == "" {
		page, next, err := k.client.plainCatalog(ctx, "", n)
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
		if keys, err = k.keys(ctx); err != nil {
			return nil, "", err
		}
	}
	return within(ctx, keys, at, func(ctx context.Context, key, at string) ([]string, string, error) {
		return k.images(ctx, key, at, n)
	})
}

func (k *keyed) images(ctx context.Context, key, at string, n int) ([]string, string, error) {
	query := url.Values{"n": {wish(n, largestPage)}}
	if at != "" {
		query.Set("last", at)
	}
	var answer struct {
		Repositories []string `json:"repositories"`
	}
	path := k.catalogOf(url.PathEscape(key))
	header, err := k.api.call(ctx, target{op: "list repositories of " + cut(key)}, question{method: http.MethodGet, path: path, query: query}, &answer)
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

func (k *keyed) tags(context.Context, string, string, int) ([]Tag, string, error) {
	return nil, "", errPlain
}
