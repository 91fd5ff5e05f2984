package registry

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// quay lists what a namespace has:
// https://docs.redhat.com/en/documentation/red_hat_quay/3/html/red_hat_quay_api_guide/
// Its catalog is asked where a rule names no namespace.
type quay struct{ api *api }

// newQuay takes an OAuth token, or nobody. A robot account may pull and use the
// plain lists, but not this interface.
func newQuay(c *Client, cred config.Resolved) vendor {
	token := cred.Token.Reveal() + cred.Password.Reveal()
	switch {
	case token == "":
		return &quay{api: newAPI(c, c.base, nil)}
	case cred.Username == "" || cred.Username == quayTokenName:
		return &quay{api: newAPI(c, c.base, func(_ context.Context, req *http.Request, _ []byte) error {
			req.Header.Set("Authorization", "Bearer "+token)
			return nil
		})}
	}
	return nil
}

func (q *quay) catalog(ctx context.Context, s scope, at string, _ int) ([]string, string, error) {
	if s.open {
		return nil, "", errPlain
	}
	return within(ctx, s.namespaces, at, func(ctx context.Context, namespace, at string) ([]string, string, error) {
		query := url.Values{"namespace": {namespace}}
		if at != "" {
			query.Set("next_page", at)
		}
		var answer struct {
			Repositories []struct {
				Namespace string `json:"namespace"`
				Name      string `json:"name"`
			} `json:"repositories"`
			Next string `json:"next_page"`
		}
		if _, err := q.api.get(ctx, target{op: "list repositories of " + cut(namespace)}, "/api/v1/repository", query, &answer); err != nil {
			return nil, "", err
		}
		page := make([]string, 0, len(answer.Repositories))
		for _, r := range answer.Repositories {
			page = append(page, r.Namespace+"/"+r.Name)
		}
		return page, answer.Next, nil
	})
}

func (q *quay) tags(ctx context.Context, repo, at string, n int) ([]Tag, string, error) {
	page, err := pageOf(at)
	if err != nil {
		return nil, "", err
	}
	var answer struct {
		Tags []struct {
			Name   string `json:"name"`
			Digest string `json:"manifest_digest"`
			Since  int64  `json:"start_ts"` // seconds
		} `json:"tags"`
		More bool `json:"has_additional"`
	}
	query := url.Values{"onlyActiveTags": {"true"}, "limit": {wish(n, 100)}, "page": {strconv.Itoa(page)}}
	if _, err := q.api.get(ctx, target{op: "list tags", repo: repo}, "/api/v1/repository/"+repo+"/tag/", query, &answer); err != nil {
		return nil, "", err
	}
	tags := make([]Tag, 0, len(answer.Tags))
	for _, t := range answer.Tags {
		tag := Tag{Name: t.Name, Digest: t.Digest}
		if t.Since > 0 {
			tag.Pushed = time.Unix(t.Since, 0).UTC()
		}
		tags = append(tags, tag)
	}
	return tags, pageAfter(page, answer.More), nil
}
