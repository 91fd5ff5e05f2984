package registry

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// maxSessions bounds the tokens kept; a registry may have any number of
// repositories, each with a token of its own.
const maxSessions = 1024

// session gives the transport that proves who asks, for one scope. Tokens are
// kept and renewed by themselves.
func (c *Client) session(ctx context.Context, scope string) (http.RoundTripper, error) {
	if s, ok := c.kept(scope); ok {
		return s, nil
	}
	select { // one at a time: whoever waited finds what the first one got
	case c.login <- struct{}{}:
		defer func() { <-c.login }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s, ok := c.kept(scope); ok {
		return s, nil
	}
	challenge, err := c.challenge(ctx)
	if err != nil {
		return nil, err
	}
	s, err := c.open(ctx, scope, challenge)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sessions) >= maxSessions {
		clear(c.sessions) // renewing them costs one small request each
	}
	c.sessions[scope] = s
	return s, nil
}

func (c *Client) kept(scope string) (http.RoundTripper, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.sessions[scope]
	return s, ok
}

// forget drops a session that was refused, and asks anew how to log in: the
// registry may have changed its mind since.
func (c *Client) forget(scope string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, scope)
	c.answer = nil
}

// challenge asks the registry, once, how to prove who asks.
func (c *Client) challenge(ctx context.Context) (*transport.Challenge, error) {
	c.mu.Lock()
	known := c.answer
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	answer, err := transport.Ping(ctx, c.reg, c.guard)
	if err != nil {
		return nil, err
	}
	if isBearer(answer) {
		if err := c.guard.trustRealm(answer.Parameters["realm"]); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
	return answer, nil
}

func (c *Client) open(ctx context.Context, scope string, ch *transport.Challenge) (http.RoundTripper, error) {
	token := &transport.Token{}
	if isBearer(ch) {
		cfg, err := authn.Authorization(ctx, c.auth)
		if err != nil {
			return nil, err
		}
		token.Token = cfg.RegistryToken // a ready token needs no exchange
		if token.Token == "" {
			token, err = transport.Exchange(ctx, c.reg, c.auth, c.guard, []string{scope}, ch)
			if err != nil {
				return nil, err
			}
		}
		if token.AccessToken != "" { // some token servers use the one name, some the other
			token.Token = token.AccessToken
		}
	}
	return transport.FromToken(c.reg, c.auth, c.guard, ch, token)
}

func isBearer(ch *transport.Challenge) bool { return strings.EqualFold(ch.Scheme, "bearer") }
