// Package auth decides who may deliver webhooks to a registry's address. Each
// way of proof is a file; Guard picks the one that the configuration asks for,
// and that one alone counts.
package auth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// ErrUnavailable says that a proof could not be looked at: the issuer's keys or
// Amazon's certificate are out of reach. The sender may be genuine and should
// come again; every other error of Body is a refusal.
var ErrUnavailable = errors.New("the proof cannot be checked at the moment")

// Decision is what a request's head is worth.
type Decision int

// The decisions.
const (
	Refused   Decision = iota // not authentic
	Admitted                  // authentic, whatever the body is
	NeedsBody                 // may be authentic: Body tells
)

// Guard decides who may deliver to one registry. It is safe for concurrent use.
// The zero Guard lets nobody in.
type Guard struct{ proof proof }

// proof is one way to tell who sends.
type proof interface {
	early(req *http.Request, secret string) Decision
	body(req *http.Request, body []byte) error
}

// Options are what a guard needs beside the registry's configuration.
type Options struct {
	// Secrets are the current one and, while senders are changed over, the
	// previous one. Ways of proof that know no secret need none.
	Secrets []config.Secret
	// SecretsDir is the folder with key files (JWKS, 256 KiB at most), which
	// they may not leave.
	SecretsDir string
	// Client fetches issuers' keys and Amazon's certificates; nil: one that
	// trusts the system's authorities. Of a given one only the transport and a
	// shorter timeout count: 5 s is the longest, and redirects are not followed.
	Client *http.Client
	// Roots are the authorities that Amazon's signing certificates must lead
	// to; nil: the system's, as far as the published file allows (see checkCertificate).
	Roots *x509.CertPool
	// Patience is how long a delivery waits for keys or a certificate that are
	// being fetched; 0: 400 ms. The fetch goes on, for the sender's next try.
	Patience time.Duration
	Now      func() time.Time // nil: time.Now
	Log      *zap.Logger      // nil: none
}

// New makes the guard of a registry. It is an error when the configured way of
// proof lacks what it compares with: nothing is let in for want of a rule.
func New(r config.Registry, o Options) (*Guard, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Patience == 0 {
		o.Patience = keysPatience
	}
	p, err := newProof(r, o)
	if err != nil {
		return nil, fmt.Errorf("webhook authentication of registry %s: %w", r.Name, err)
	}
	return &Guard{proof: p}, nil
}

func newProof(r config.Registry, o Options) (proof, error) {
	switch a := r.Webhook.Auth; a.Type {
	case config.JWTAuth:
		return newTokens(a, o)
	case config.SNSAuth:
		return newNotifications(a, o)
	case config.MTLSAuth:
		return newCertificate(a)
	default:
		return newShared(r, o.Secrets)
	}
}

// Warm begins to fetch what the first delivery would have to wait for.
func (g *Guard) Warm() {
	if t, ok := g.proof.(*tokens); ok {
		t.warm()
	}
}

// Early decides by the head of a request, before its body is read. secret is
// what ends the address, unescaped, blank for none. It counts where the
// configuration asks for it or for nothing in particular; the other ways look
// past it.
func (g *Guard) Early(req *http.Request, secret string) Decision {
	if g.proof == nil {
		return Refused
	}
	return g.proof.early(req, secret)
}

// Body decides by the whole request, after Early wanted that; nil admits it.
// It waits for Options.Patience at most where something must be fetched. Errors
// hold no secret and no token; ErrUnavailable is among them when the sender
// should come again.
func (g *Guard) Body(req *http.Request, body []byte) error {
	if g.proof == nil {
		return errNoProof
	}
	return g.proof.body(req, body)
}
