package registry

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

const (
	hubAPI   = "https://hub.docker.com"
	hubToken = 5 * time.Minute // shorter than what a token holds for
	hubEarly = time.Minute
)

// hub lists what a namespace has on Docker Hub, whose registry has no catalog:
// https://docs.docker.com/reference/api/hub/latest/
type hub struct {
	api   *api
	user  string // whose namespace "all" means; blank: nobody's
	login *renewing
}

func newHub(c *Client, cred config.Resolved, base string) vendor {
	h := &hub{user: cred.Username}
	h.api = newAPI(c, base, h.sign)
	if secret := cred.Password.Reveal() + cred.Token.Reveal(); h.user != "" && secret != "" {
		h.login = newRenewing(hubEarly, func(ctx context.Context) (authn.AuthConfig, time.Time, error) {
			return h.token(ctx, h.user, secret)
		})
	}
	return h
}

// sign adds a token, where there is somebody to ask as.
func (h *hub) sign(ctx context.Context, req *http.Request, _ []byte) error {
	if h.login == nil || strings.HasSuffix(req.URL.Path, "/auth/token") {
		return nil
	}
	auth, err := h.login.AuthorizationContext(ctx)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+auth.RegistryToken)
	return nil
}

// token exchanges a password or access token:
// https://docs.docker.com/reference/api/hub/latest/#tag/authentication-api
func (h *hub) token(ctx context.Context, user, secret string) (authn.AuthConfig, time.Time, error) {
	body, err := json.Marshal(map[string]string{"identifier": user, "secret": secret})
	if err != nil {
		return authn.AuthConfig{}, time.Time{}, err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	q := question{method: http.MethodPost, path: "/v2/auth/token", header: http.Header{"Content-Type": {"application/json"}}, body: body}
	if _, err := h.api.call(ctx, target{op: "log in at Docker Hub"}, q, &answer); err != nil {
		return authn.AuthConfig{}, time.Time{}, err
	}
	return authn.AuthConfig{RegistryToken: answer.AccessToken}, time.Now().Add(hubToken), nil
}

func (h *hub) catalog(ctx context.Context, s scope, at string, n int) ([]string, string, error) {
	namespaces := s.namespaces
	if s.open {
		if h.user == "" {
			return nil, "", s.needs(h.api.client, "Docker Hub", "acme/*")
		}
		if !slices.Contains(namespaces, h.user) {
			namespaces = append(slices.Clone(namespaces), h.user)
		}
	}
	return within(ctx, namespaces, at, func(ctx context.Context, namespace, at string) ([]string, string, error) {
		page, err := pageOf(at)
		if err != nil {
			return nil, "", err
		}
		var answer struct {
			Next    string `json:"next"`
			Results []struct {
				Name string `json:"name"`
			} `json:"results"`
		}
		path := "/v2/namespaces/" + url.PathEscape(namespace) + "/repositories"
		if _, err := h.api.get(ctx, target{op: "list repositories of " + cut(namespace)}, path, h.query(page, n), &answer); err != nil {
			return nil, "", err
		}
		found := make([]string, 0, len(answer.Results))
		for _, r := range answer.Results {
			found = append(found, namespace+"/"+r.Name)
		}
		return found, pageAfter(page, answer.Next != ""), nil
	})
}

func (h *hub) query(page, n int) url.Values {
	return url.Values{"page": {strconv.Itoa(page)}, "page_size": {wish(n, 100)}}
}

func (h *hub) tags(ctx context.Context, repo, at string, n int) ([]Tag, string, error) {
	page, err := pageOf(at)
	if err != nil {
		return nil, "", err
	}
	namespace, name, found := strings.Cut(repo, "/")
	if !found {
		namespace, name = "library", repo
	}
	var answer struct {
		Next    string `json:"next"`
		Results []struct {
			Name   string    `json:"name"`
			Digest string    `json:"digest"`
			Pushed time.Time `json:"tag_last_pushed"`
		} `json:"results"`
	}
	path := "/v2/namespaces/" + url.PathEscape(namespace) + "/repositories/" + url.PathEscape(name) + "/tags"
	if _, err := h.api.get(ctx, target{op: "list tags", repo: repo}, path, h.query(page, n), &answer); err != nil {
		return nil, "", err
	}
	tags := make([]Tag, 0, len(answer.Results))
	for _, r := range answer.Results {
		tags = append(tags, Tag(r))
	}
	return tags, pageAfter(page, answer.Next != ""), nil
}
