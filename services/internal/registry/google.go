package registry

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
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
	googleUser  = "oauth2accesstoken"
	googleEarly = 5 * time.Minute // of an hour
	// The metadata service gives one token until five minutes before its end.
	googleMachineEarly = 4 * time.Minute
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
	if cred.Key.IsZero() {
		return newGoogleMachine(cfg, cred)
	}
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
	if !key.readable() {
		return nil, fmt.Errorf("%w: the private key of %s is not an RSA key in PEM: take the key file as Google gave it", ErrInvalid, cut(key.Email))
	}
	return newRenewing(googleEarly, func(ctx context.Context) (authn.AuthConfig, time.Time, error) {
		return key.login(ctx, g)
	}).of(cred.Name), nil
}

// readable reports whether the private key can sign. The library that does it
// tells this from no other error.
func (k serviceAccount) readable() bool {
	raw := []byte(k.PrivateKey)
	if block, _ := pem.Decode(raw); block != nil {
		raw = block.Bytes
	}
	if key, err := x509.ParsePKCS8PrivateKey(raw); err == nil {
		_, isRSA := key.(*rsa.PrivateKey)
		return isRSA
	}
	_, err := x509.ParsePKCS1PrivateKey(raw)
	return err == nil
}

// newGoogleMachine logs in as the machine. Its token is good for all that the
// machine may do: it goes to Google's registries only.
func newGoogleMachine(cfg config.Registry, cred config.Resolved) (authn.Authenticator, error) {
	host := cfg.Host()
	google := host == "gcr.io" || strings.HasSuffix(host, ".gcr.io") || strings.HasSuffix(host, garHost)
	if !google && !config.IsLoopback(host) {
		return nil, fmt.Errorf("%w: %s is no registry of Google's: the machine's identity goes to gcr.io and pkg.dev only", ErrInvalid, host)
	}
	return newRenewing(googleMachineEarly, googleMachine).of(cred.Name), nil
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
func (k serviceAccount) login(ctx context.Context, g *guard) (authn.AuthConfig, time.Time, error) {
	source := &jwt.Config{
		Email: k.Email, PrivateKey: []byte(k.PrivateKey), PrivateKeyID: k.KeyID, TokenURL: k.TokenURI, Scopes: []string{googleScope},
	}
	way := &wayOut{guard: g}
	client := &http.Client{Transport: way, CheckRedirect: stay}
	token, err := source.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, client)).Token()
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused): // the rest of the answer could repeat what it was asked with
		return authn.AuthConfig{}, time.Time{}, refusedByGoogle(k.Email, refused)
	case way.err != nil:
		return authn.AuthConfig{}, time.Time{}, way.err
	case err != nil:
		return authn.AuthConfig{}, time.Time{}, &Unavailable{Reason: "Google's token service gave no usable answer for " + cut(k.Email)}
	}
	return authn.AuthConfig{Username: googleUser, Password: token.AccessToken}, token.Expiry, nil
}

// refusedByGoogle tells a key that is not taken from a service that is not there.
func refusedByGoogle(email string, refused *oauth2.RetrieveError) error {
	status := refused.Response.StatusCode
	if status >= http.StatusInternalServerError || status == http.StatusRequestTimeout {
		return &Unavailable{Reason: fmt.Sprintf("Google's token service answers with status %d", status)}
	}
	return fmt.Errorf("%w: Google refused the service account %s: status %d: see that the account and its key still exist, and this machine's clock",
		ErrUnauthorized, cut(email), status)
}

// wayOut keeps why a request was not answered: the library that sends it keeps
// the words only.
type wayOut struct {
	guard *guard
	err   error
}

// RoundTrip sends one request.
func (w *wayOut) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.guard.RoundTrip(req)
	w.err = err
	return resp, err
}

// gar lists what a project has in Artifact Registry, whose registry has no
// catalog: https://cloud.google.com/artifact-registry/docs/reference/rest
type gar struct {
	api        *api
	location   string
	repository string // the only one, which no image's name tells; blank: the second part of it
}

const (
	garHost = "-docker.pkg.dev" // after the location
	garAPI  = "https://artifactregistry.googleapis.com"
)

func newGAR(c *Client, base string) vendor {
	location := strings.TrimSuffix(c.host, garHost)
	return &gar{api: newAPI(c, base, c.bearerOfPassword), location: location}
}

// newGCR lists what a project has under gcr.io, whose images are in a
// repository of Artifact Registry's that is named after the host.
func newGCR(c *Client, base string) vendor {
	return &gar{api: newAPI(c, base, c.bearerOfPassword), location: gcrLocation(c.host), repository: c.host}
}

// gcrLocation is where a host's repository is; blank: it is none of Google's.
// https://cloud.google.com/artifact-registry/docs/transition/gcr-repositories
func gcrLocation(host string) string {
	switch host {
	case "gcr.io", "us.gcr.io":
		return "us"
	case "eu.gcr.io":
		return "europe"
	case "asia.gcr.io":
		return "asia"
	default:
		return ""
	}
}

func (g *gar) catalog(ctx context.Context, s scope, at string, n int) ([]string, string, error) {
	if s.open && g.repository != "" {
		return nil, "", errPlain
	}
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
	if g.repository != "" {
		return []string{project + "/" + g.repository}, nil
	}
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
	before := part
	if g.repository != "" {
		before = project
	}
	page := make([]string, 0, len(answer.Packages))
	for _, p := range answer.Packages {
		if name, err := url.PathUnescape(p.Name[strings.LastIndexByte(p.Name, '/')+1:]); err == nil {
			page = append(page, before+"/"+name)
		}
	}
	return page, answer.Next, nil
}

// tags are in the registry's own list, with digests and times.
func (g *gar) tags(context.Context, string, string, int) ([]Tag, string, error) {
	return nil, "", errPlain
}
