// Package hook makes the addresses to which registries send their webhooks.
// Most registries cannot sign what they send, so each address ends in a secret
// of its own: the configured one, or one derived from the installation's key,
// which every service that has the key derives alike.
package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Key is the installation's key. It never prints.
type Key struct{ secret config.Secret }

// leastKey is the shortest key in characters: 128 bits in hexadecimal.
const leastKey = 32

// NewKey takes a key of at least 32 characters.
func NewKey(s config.Secret) (Key, error) {
	if len(s.Reveal()) < leastKey {
		return Key{}, fmt.Errorf("the webhook key is shorter than %d characters; `openssl rand -hex 32` makes one", leastKey)
	}
	return Key{s}, nil
}

// Format writes the secret's placeholder whatever the verb: without it fmt
// would look inside.
func (k Key) Format(f fmt.State, verb rune) { k.secret.Format(f, verb) }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.secret.IsZero() }

// derivedBytes is how much of the authenticator a derived secret keeps: 160
// bits, 32 characters without padding.
const derivedBytes = 20

// Derive is the secret of a registry whose configuration gives none.
func (k Key) Derive(registry string) config.Secret {
	mac := hmac.New(sha256.New, []byte(k.secret.Reveal()))
	_, _ = mac.Write([]byte("webhook/" + registry)) // a hash's Write never fails
	sum := mac.Sum(nil)[:derivedBytes]
	return config.NewSecret(strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum)))
}

// Secrets tells the secret of any registry.
type Secrets struct {
	Key Key
	// Dir is the folder of secret files, Getenv the environment, that
	// configured secrets are read from.
	Dir    string
	Getenv func(string) string
}

// Of is the secret at the end of r's webhook address. A configured secret that
// cannot be read is an error, never replaced by a derived one.
func (s Secrets) Of(r config.Registry) (config.Secret, error) {
	if !r.Webhook.Secret.IsZero() {
		secret, err := r.Webhook.Secret.Resolve(s.Dir, s.Getenv)
		if err != nil {
			return config.Secret{}, fmt.Errorf("webhook secret of registry %s: %w", r.Name, err)
		}
		return secret, nil
	}
	if s.Key.IsZero() {
		return config.Secret{}, fmt.Errorf("webhook secret of registry %s: none configured, and no webhook key", r.Name)
	}
	return s.Key.Derive(r.Name), nil
}

// All are the secrets that r's senders may use: the one of [Secrets.Of] first,
// then the previous one while senders are being changed over.
func (s Secrets) All(r config.Registry) ([]config.Secret, error) {
	current, err := s.Of(r)
	if err != nil {
		return nil, err
	}
	if r.Webhook.PreviousSecret.IsZero() {
		return []config.Secret{current}, nil
	}
	previous, err := r.Webhook.PreviousSecret.Resolve(s.Dir, s.Getenv)
	if err != nil {
		return nil, fmt.Errorf("previous webhook secret of registry %s: %w", r.Name, err)
	}
	return []config.Secret{current, previous}, nil
}

// URL is the address to configure at the registry; base is where ingest is
// reached from there, as http://host:port. The result holds the secret.
func URL(base, registry string, secret config.Secret) (string, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", errors.New("webhook address: the base is not an http or https URL")
	}
	return strings.TrimSuffix(u.String(), "/") + "/hooks/" + url.PathEscape(registry) + "/" + url.PathEscape(secret.Reveal()), nil
}
