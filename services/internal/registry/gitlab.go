package registry

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// gitlab lists the repositories of a group and its subgroups:
// https://docs.gitlab.com/api/container_registry/
// The registry's catalog is the administrator's alone. The interface is where
// the registry's tokens come from: at GitLab itself.
type gitlab struct {
	client *Client
	cred   config.Resolved
}

func (g *gitlab) catalog(ctx context.Context, s scope, at string, n int) ([]string, string, error) {
	if s.open {
		return nil, "", errPlain
	}
	if len(s.namespaces) == 0 {
		return nil, "", nil
	}
	a, err := g.api(ctx)
	if err != nil {
		return nil, "", err
	}
	return within(ctx, s.namespaces, at, func(ctx context.Context, group, at string) ([]string, string, error) {
		page, err := pageOf(at)
		if err != nil {
			return nil, "", err
		}
		var answer []struct {
			Path string `json:"path"`
		}
		path := "/api/v4/groups/" + url.PathEscape(group) + "/registry/repositories"
		query := url.Values{"per_page": {wish(n, 100)}, "page": {strconv.Itoa(page)}}
		header, err := a.get(ctx, target{op: "list repositories of the group " + cut(group)}, path, query, &answer)
		if err != nil {
			return nil, "", err
		}
		found := make([]string, 0, len(answer))
		for _, r := range answer {
			found = append(found, r.Path)
		}
		return found, header.Get("X-Next-Page"), nil
	})
}

// api is at the token server's host, which was checked to belong to the
// registry.
func (g *gitlab) api(ctx context.Context) (*api, error) {
	c := g.client
	challenge, err := c.challenge(ctx)
	if err != nil {
		return nil, c.broken(ctx, target{op: "list repositories"}, err)
	}
	realm := c.guard.realm.Load()
	if !isBearer(challenge) || realm == nil {
		return nil, errPlain
	}
	secret := g.cred.Token.Reveal() + g.cred.Password.Reveal()
	return newAPI(c, realm.Scheme+"://"+realm.Host, func(_ context.Context, req *http.Request, _ []byte) error {
		if secret != "" {
			req.Header.Set("Private-Token", secret)
		}
		return nil
	}), nil
}

func (g *gitlab) tags(context.Context, string, string, int) ([]Tag, string, error) {
	return nil, "", errPlain
}
