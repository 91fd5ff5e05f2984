package registry

import (
	"context"
	"net/url"
	"time"
)

// msr lists what the credential may see at Mirantis Secure Registry, whose
// catalog leaves repositories out: https://docs.mirantis.com/msr/2.9/api-ref.html
type msr struct{ api *api }

const (
	msrPage = 100
	msrNext = "X-Next-Page-Start" // header with the position of the next page
)

func (m *msr) catalog(ctx context.Context, _ scope, at string, n int) ([]string, string, error) {
	var answer struct {
		Repositories []struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"repositories"`
	}
	header, err := m.api.get(ctx, target{op: "list repositories"}, "/api/v0/repositories", m.query(at, n), &answer)
	if err != nil {
		return nil, "", err
	}
	page := make([]string, 0, len(answer.Repositories))
	for _, r := range answer.Repositories {
		page = append(page, r.Namespace+"/"+r.Name)
	}
	return page, header.Get(msrNext), nil
}

func (m *msr) query(at string, n int) url.Values {
	query := url.Values{"pageSize": {wish(n, msrPage)}}
	if at != "" {
		query.Set("pageStart", at)
	}
	return query
}

func (m *msr) tags(ctx context.Context, repo, at string, n int) ([]Tag, string, error) {
	var answer []struct {
		Name    string    `json:"name"`
		Digest  string    `json:"digest"`
		Created time.Time `json:"createdAt"`
		Updated time.Time `json:"updatedAt"`
	}
	header, err := m.api.get(ctx, target{op: "list tags", repo: repo}, "/api/v0/repositories/"+repo+"/tags", m.query(at, n), &answer)
	if err != nil {
		return nil, "", err
	}
	tags := make([]Tag, 0, len(answer))
	for _, t := range answer {
		pushed := t.Updated
		if pushed.IsZero() {
			pushed = t.Created
		}
		tags = append(tags, Tag{Name: t.Name, Digest: t.Digest, Pushed: pushed})
	}
	return tags, header.Get(msrNext), nil
}
