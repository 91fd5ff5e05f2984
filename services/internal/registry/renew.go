package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// renewing is a login whose proof ends after some time. The next one is
// fetched early: what was just read would otherwise end in the middle of a
// layer.
type renewing struct {
	fetch func(ctx context.Context) (authn.AuthConfig, time.Time, error)
	early time.Duration // before the end
	name  string        // of the credential, for messages
	turn  chan struct{} // held by whoever looks
	have  authn.AuthConfig
	until time.Time
}

func newRenewing(early time.Duration, fetch func(context.Context) (authn.AuthConfig, time.Time, error)) *renewing {
	return &renewing{fetch: fetch, early: early, turn: make(chan struct{}, 1)}
}

// of says whose login it is.
func (r *renewing) of(name string) *renewing {
	r.name = name
	return r
}

// AuthorizationContext is the proof of the moment. While a new one cannot be
// fetched, one that still holds serves.
func (r *renewing) AuthorizationContext(ctx context.Context) (*authn.AuthConfig, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if time.Until(r.until) > r.early {
		return r.copy(), nil
	}
	have, until, err := r.fetch(ctx)
	switch {
	case err == nil:
		r.have, r.until = have, until
	case time.Until(r.until) <= 0 && r.name != "" && ctx.Err() == nil:
		return nil, fmt.Errorf("%w (credential %s)", err, r.name)
	case time.Until(r.until) <= 0:
		return nil, err
	}
	return r.copy(), nil
}

func (r *renewing) copy() *authn.AuthConfig {
	have := r.have
	return &have
}

// Authorization serves an interface; it is not called where the other is.
func (r *renewing) Authorization() (*authn.AuthConfig, error) {
	return nil, errors.New("the login needs a context")
}
