package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// api is a vendor's own HTTP interface: what it tells of repositories and tags
// that a registry's does not.
type api struct {
	client *Client
	base   string // scheme and host
	// sign adds to a request who asks; nil: nobody in particular.
	sign func(ctx context.Context, req *http.Request, body []byte) error
	// explain reads a refusal that its status does not tell; nil: none.
	explain func(status int, raw []byte) error
}

func newAPI(c *Client, base string, sign func(context.Context, *http.Request, []byte) error) *api {
	a := &api{client: c, sign: sign}
	a.move(base)
	return a
}

// move sets where the interface is, and lets the credential go there.
func (a *api) move(base string) {
	a.base = base
	if u, err := url.Parse(base); err == nil {
		a.client.guard.trust(u)
	}
}

// question is one request to a vendor's interface.
type question struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte
}

func (a *api) get(ctx context.Context, t target, path string, query url.Values, answer any) (http.Header, error) {
	return a.call(ctx, t, question{method: http.MethodGet, path: path, query: query}, answer)
}

// call asks, and decodes an answer of at most 8 MiB. Redirects are not
// followed: what signs a request must not be sent on.
func (a *api) call(ctx context.Context, t target, q question, answer any) (http.Header, error) {
	c := a.client
	ctx, cancel := limited(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, q.method, a.base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, c.wrap(t, fmt.Errorf("%w: the request is no URL", ErrInvalid))
	}
	req.URL.RawQuery = q.query.Encode()
	req.Header.Set("Accept", "application/json")
	maps.Copy(req.Header, q.header)
	if a.sign != nil {
		if err := a.sign(ctx, req, q.body); err != nil {
			return nil, c.broken(ctx, t, err)
		}
	}
	sent := time.Now()
	resp, err := (&http.Client{Transport: c.guard, CheckRedirect: stay}).Do(req)
	if err != nil {
		return nil, c.broken(ctx, t, err)
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		return nil, a.refused(ctx, t, resp, sent)
	}
	raw, err := readAll(resp.Body, resp.ContentLength, maxPage)
	if err != nil {
		return nil, c.broken(ctx, t, err)
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return nil, c.wrap(t, fmt.Errorf("%w: the answer is not the JSON it is documented to be", ErrInvalid))
	}
	return resp.Header, nil
}

func (a *api) refused(ctx context.Context, t target, resp *http.Response, sent time.Time) error {
	if a.explain != nil {
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		if err == nil {
			err = a.explain(resp.StatusCode, raw)
		}
		if errors.Is(err, ErrPaused) { // it was said in the vendor's own words
			a.client.guard.budget.Rest(ctx, Pause{Part: Listings, First: silentRest, Of: Listings, Sent: sent, Why: err.Error()})
		}
		if err != nil {
			return a.client.wrap(t, err)
		}
	}
	if resp.StatusCode == http.StatusNotFound { // also where there is no such interface
		return a.client.wrap(t, fmt.Errorf("%w: status 404", ErrNotFound))
	}
	err := a.client.refused(t, resp)
	if resp.StatusCode == http.StatusUnauthorized {
		return noLoginError{err}
	}
	return err
}

// noLoginError is the error of an interface that does not know who asks: it will
// not at the next question either.
type noLoginError struct{ error }

// Unwrap is what was said.
func (n noLoginError) Unwrap() error { return n.error }

// stay follows no redirect.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// basic signs with the registry's own user name and password.
func (c *Client) basic(ctx context.Context, req *http.Request, _ []byte) error {
	auth, err := authn.Authorization(ctx, c.auth)
	if err != nil {
		return err
	}
	switch {
	case auth.RegistryToken != "":
		req.Header.Set("Authorization", "Bearer "+auth.RegistryToken)
	case auth.Username != "":
		req.SetBasicAuth(auth.Username, auth.Password)
	}
	return nil
}

// bearerOfPassword signs with the login's password, where that is a token.
func (c *Client) bearerOfPassword(ctx context.Context, req *http.Request, _ []byte) error {
	auth, err := authn.Authorization(ctx, c.auth)
	if err != nil {
		return err
	}
	token := auth.Password
	if auth.RegistryToken != "" {
		token = auth.RegistryToken
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

// wish is how many entries are asked for.
func wish(n, most int) string { return strconv.Itoa(atMost(n, most)) }

func atMost(n, most int) int {
	if n <= 0 {
		n = defaultPage
	}
	return min(n, most)
}

// pageOf reads the number of a page; blank: the first.
func pageOf(at string) (int, error) {
	if at == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(at)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%w: page %q", ErrInvalid, cut(at))
	}
	return n, nil
}

// pageAfter is the number of the next page, blank where there is none.
func pageAfter(page int, more bool) string {
	if !more {
		return ""
	}
	return strconv.Itoa(page + 1)
}
