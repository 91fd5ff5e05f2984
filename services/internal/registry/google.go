package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

const (
	googleScope = "https://www.googleapis.com/auth/cloud-platform"
	googleToken = "https://oauth2.googleapis.com/token" //nolint:gosec // an address, not a secret
	googleEarly = 5 * time.Minute                       // of an hour
)

// serviceAccount is a Google service account's key file.
type serviceAccount struct {
	Type       string `json:"type"`
	Email      string `json:"client_email"`
	PrivateKey string `json:"private_key"`
	KeyID      string `json:"private_key_id"`
	TokenURI   string `json:"token_uri"`
}

// newGoogleLogin logs in at Google's registries with short-lived tokens, so
// that the key itself is sent nowhere:
// https://cloud.google.com/artifact-registry/docs/docker/authentication#token
// A registry of another type gets the key as a password, which Google's take
// too: https://cloud.google.com/artifact-registry/docs/docker/authentication#json-key
func newGoogleLogin(g *guard, cfg config.Registry, cred config.Resolved) (authn.Authenticator, error) {
	var key serviceAccount
	if err := json.Unmarshal([]byte(cred.Key.Reveal()), &key); err != nil {
		return nil, fmt.Errorf("%w: the key is not JSON: it is to be a service account's key file", ErrInvalid)
	}
	if key.Type != "service_account" || key.Email == "" || key.PrivateKey == "" {
		return nil, fmt.Errorf("%w: the key is of type %q, not of a service account", ErrInvalid, cut(key.Type))
	}
	if kind := cfg.Kind(); kind != config.GAR && kind != config.GCR {
		return &authn.Basic{Username: "_json_key", Password: cred.Key.Reveal()}, nil
	}
	if key.TokenURI == "" {
		key.TokenURI = googleToken
	}
	if err := trustGoogle(g, key.TokenURI); err != nil {
		return nil, err
	}
	client := &http.Client{Transport: g, CheckRedirect: stay}
	return newRenewing(googleEarly, func(ctx context.Context) (authn.AuthConfig, time.Time, error) {
		return key.login(ctx, client)
	}), nil
}

// trustGoogle lets the signed request for a token go to Google, and in tests
// to this machine.
func trustGoogle(g *guard, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return fmt.Errorf("%w: the key's token_uri is not a URL", ErrInvalid)
	}
	known := u.Scheme == "https" && strings.HasSuffix(u.Hostname(), ".googleapis.com")
	here := config.IsLoopback(u.Host) && config.IsLoopback(g.contact)
	if !known && !here {
		return fmt.Errorf("%w: the key's token_uri %s is not of googleapis.com", ErrInvalid, cut(u.Host))
	}
	g.trust(u)
	return nil
}

// login exchanges a request signed with the key for a token:
// https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests
func (k serviceAccount) login(ctx context.Context, client *http.Client) (authn.AuthConfig, time.Time, error) {
	source := &jwt.Config{
		Email: k.Email, PrivateKey: []byte(k.PrivateKey), PrivateKeyID: k.KeyID, TokenURL: k.TokenURI, Scopes: []string{googleScope},
	}
	token, err := source.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, client)).Token()
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused): // the rest of the answer could repeat what it was asked with
		return authn.AuthConfig{}, time.Time{}, fmt.Errorf("%w: Google refused the service account %s: status %d",
			ErrUnauthorized, cut(k.Email), refused.Response.StatusCode)
	case err != nil && unreadableKey(err):
		return authn.AuthConfig{}, time.Time{}, fmt.Errorf("%w: the private key of %s cannot be read", ErrInvalid, cut(k.Email))
	case err != nil:
		return authn.AuthConfig{}, time.Time{}, err
	}
	return authn.AuthConfig{Username: "oauth2accesstoken", Password: token.AccessToken}, token.Expiry, nil
}

// unreadableKey tells an error of the key from one of the way to Google.
func unreadableKey(err error) bool {
	var sent *url.Error
	return !errors.As(err, &sent) && !isKind(err) && !errors.Is(err, ErrUnavailable)
}

// gar lists what a project has in Artifact Registry, whose registry has no
// catalog: https://cloud.google.com/artifact-registry/docs/reference/rest
type gar struct {
	api      *api
	location string
}

const (
	garHost = "-docker.pkg.dev" // after the location
	garAPI  = "https://artifactregistry.googleapis.com"
)

func newGAR(c *Client, base string) vendor {
	location := strings.TrimSuffix(c.host, garHost)
	return &gar{api: newAPI(c, base, c.bearerOfPassword), location: location}
}

func (g *gar) catalog(ctx context.Context, s scope, at string, n int) ([]string, string, error) {
	if s.open {
		return nil, "", s.needs(g.api.client, "Artifact Registry", "my-project/*")
	}
	var parts []string
	for _, project := range s.namespaces {
		repositories, err := g.repositories(ctx, project)
		if err != nil {
			return nil, "", err
		}
		parts = append(parts, repositories...)
	}
	return within(ctx, parts, at, func(ctx context.Context, part, at string) ([]string, string, error) {
		return g.packages(ctx, part, at, n)
	})
}

// repositories lists a project's docker repositories as project/repository.
func (g *gar) repositories(ctx context.Context, project string) ([]string, error) {
	var found []string
	for token := ""; ; {
		var answer struct {
			Repositories []struct {
				Name   string `json:"name"`
				Format string `json:"format"`
			} `json:"repositories"`
			Next string `json:"nextPageToken"`
		}
		query := url.Values{"pageSize": {"1000"}, "pageToken": {token}}
		path := "/v1/projects/" + url.PathEscape(project) + "/locations/" + url.PathEscape(g.location) + "/repositories"
		if _, err := g.api.get(ctx, target{op: "list repositories of the project " + cut(project)}, path, query, &answer); err != nil {
			return nil, err
		}
		for _, r := range answer.Repositories {
			if r.Format == "DOCKER" {
				found = append(found, project+"/"+r.Name[strings.LastIndexByte(r.Name, '/')+1:])
			}
		}
		if token = answer.Next; token == "" || len(found) > maxParts {
			return found, tooMany(found)
		}
	}
}

func (g *gar) packages(ctx context.Context, part, at string, n int) ([]string, string, error) {
	project, repository, _ := strings.Cut(part, "/")
	var answer struct {
		Packages []struct {
			Name string `json:"name"`
		} `json:"packages"`
		Next string `json:"nextPageToken"`
	}
	path := "/v1/projects/" + url.PathEscape(project) + "/locations/" + url.PathEscape(g.location) +
		"/repositories/" + url.PathEscape(repository) + "/packages"
	query := url.Values{"pageSize": {wish(n, 1000)}, "pageToken": {at}}
	if _, err := g.api.get(ctx, target{op: "list packages of " + cut(part)}, path, query, &answer); err != nil {
		return nil, "", err
	}
	page := make([]string, 0, len(answer.Packages))
	for _, p := range answer.Packages {
		if name, err := url.PathUnescape(p.Name[strings.LastIndexByte(p.Name, '/')+1:]); err == nil {
			page = append(page, part+"/"+name)
		}
	}
	return page, answer.Next, nil
}

// tags are in the registry's own list, with digests and times.
func (g *gar) tags(context.Context, string, string, int) ([]Tag, string, error) {
	return nil, "", errPlain
}
