// Package registry reads from one configured registry: catalogs, tags,
// manifests and blobs, within the registry's budget and with its credential,
// which goes to no one else.
package registry

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Options are what a client needs besides its configuration.
type Options struct {
	Logger *zap.Logger // nil: none
	Budget Budget      // nil: what the configuration's limits say, for this client alone
}

// Client talks to one registry. It is safe for use by many goroutines. A
// request holds one of the registry's slots (limits.concurrency) until its
// body is closed: who reads a blob must not wait for another request of the
// same goroutine.
type Client struct {
	name       string // configured name
	host       string // pull host
	base       string // scheme and contact host
	credential string // name, for messages
	reg        name.Registry
	auth       authn.Authenticator
	guard      *guard
	log        *zap.Logger
	slowest    pace   // of blobs
	vendor     vendor // how it lists what it has; nil: as every registry does

	login    chan struct{} // held by whoever asks for a challenge or a token
	mu       sync.Mutex    // guards what follows
	answer   *transport.Challenge
	sessions map[string]http.RoundTripper // by scope

	vendorless atomic.Bool // the vendor does not take the credential
}

// New makes a client. Certificates are read here; nothing is sent yet.
func New(cfg config.Registry, cred config.Resolved, opts Options) (*Client, error) {
	host := cfg.Host()
	if host == "" {
		return nil, fmt.Errorf("registry %s: address %q: %w", cfg.Name, cfg.Address, ErrInvalid)
	}
	contact := host
	if host == config.HubHost {
		contact = name.DefaultRegistry // what docker.io answers under
	}
	reg, err := name.NewRegistry(contact)
	if err != nil {
		return nil, fmt.Errorf("registry %s: %w: %w", cfg.Name, ErrInvalid, err)
	}
	g, err := newGuard(cfg, contact, opts.Budget)
	if err != nil {
		return nil, fmt.Errorf("registry %s: %w", cfg.Name, err)
	}
	log := opts.Logger
	if log == nil {
		log = zap.NewNop()
	}
	c := &Client{
		name: cfg.Name, host: host, base: g.scheme + "://" + contact, credential: cred.Name,
		reg: reg, guard: g, log: log.Named("registry").With(zap.String("registry", cfg.Name)),
		slowest: slowest(), login: make(chan struct{}, 1), sessions: map[string]http.RoundTripper{},
	}
	if c.auth, err = authenticator(c, cfg, cred); err != nil {
		where := cred.Name
		if cred.Sources != "" {
			where += " (" + cred.Sources + ")"
		}
		return nil, fmt.Errorf("registry %s: credential %s: %w", cfg.Name, where, err)
	}
	c.vendor = newVendor(c, cfg, cred)
	return c, nil
}

// Name is the registry's configured name.
func (c *Client) Name() string { return c.name }

// Host is the registry's pull host.
func (c *Client) Host() string { return c.host }

// Close ends idle connections.
func (c *Client) Close() { c.guard.close() }

// Ping asks whether the registry answers and accepts the credential.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	t := target{op: "ping"}
	resp, err := c.do(ctx, http.MethodGet, t, "/v2/", "", nil)
	if err != nil {
		return err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		return c.refused(t, resp)
	}
	return nil
}

// path joins escaped elements of the API's paths.
func path(elements ...string) string { return "/v2/" + strings.Join(elements, "/") }
