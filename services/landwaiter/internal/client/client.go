// Package client asks the report service's HTTP API.
package client

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
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/limit"
)

const (
	// patience bounds one question, its answer included.
	patience = 2 * time.Minute
	// most bounds an answer: the largest report that is kept.
	most = 256 << 20
)

// Client asks one server. It may be used by several goroutines.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New returns a client of the server at address, http://host:port, that shows
// the token; blank: none.
func New(address, token string) (*Client, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	base, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") || base.User != nil {
		return nil, fmt.Errorf("server %q is not http://host:port or https://host:port", address)
	}
	return &Client{base: base, token: token, http: &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: patience,
			TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 1 << 20,
		},
		// The token goes to the server it is for, to no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Address is the server's.
func (c *Client) Address() string { return c.base.String() }

// Question is one request to the API.
type Question struct {
	Method string // blank: GET
	Path   string // below /api/v1, escaped
	Query  url.Values
	Body   any // as JSON; nil: none
	Accept string
	// Header is what else is sent; nil: nothing.
	Header http.Header
	// Unbounded questions take as long as they take.
	Unbounded bool
}

// Ask asks and decodes the answer's JSON into answer, unless that is nil. It
// returns the status. An answer that is no success is a *ProblemError.
func (c *Client) Ask(ctx context.Context, q Question, answer any) (int, error) {
	_, status, err := c.Versioned(ctx, q, answer)
	return status, err
}

// Versioned asks as Ask does, and returns the version of the object in the
// answer, for If-Match; blank: it has none.
func (c *Client) Versioned(ctx context.Context, q Question, answer any) (version string, status int, err error) {
	raw, header, status, err := c.whole(ctx, q)
	if err != nil || answer == nil || len(raw) == 0 {
		return header.Get("ETag"), status, err
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return "", status, fmt.Errorf("answer of %s: %w", c.base, err)
	}
	return header.Get("ETag"), status, nil
}

// Raw asks and returns the answer as it is.
func (c *Client) Raw(ctx context.Context, q Question) (raw []byte, status int, err error) {
	raw, _, status, err = c.whole(ctx, q)
	return raw, status, err
}

func (c *Client) whole(ctx context.Context, q Question) (raw []byte, header http.Header, status int, err error) {
	if !q.Unbounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	res, err := c.send(ctx, q)
	if err != nil {
		return nil, nil, 0, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, nil, res.StatusCode, c.problem(res)
	}
	raw, err = limit.ReadAll(res.Body, most)
	if err != nil {
		return nil, nil, res.StatusCode, fmt.Errorf("read answer of %s: %w", c.base, err)
	}
	return raw, res.Header, res.StatusCode, nil
}

func (c *Client) send(ctx context.Context, q Question) (*http.Response, error) {
	var body io.Reader = http.NoBody
	if q.Body != nil {
		raw, err := json.Marshal(q.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	if q.Method == "" {
		q.Method = http.MethodGet
	}
	u := c.base.String() + "/api/v1" + q.Path
	if len(q.Query) > 0 {
		u += "?" + q.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, q.Method, u, body)
	if err != nil {
		return nil, err
	}
	if q.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if q.Accept != "" {
		req.Header.Set("Accept", q.Accept)
	}
	maps.Copy(req.Header, q.Header)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, &UnreachableError{Address: c.base.String(), Err: err}
	}
	return res, nil
}
