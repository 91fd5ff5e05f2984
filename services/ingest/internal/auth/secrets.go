package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// secrets are the values of which a sender must know one. Comparing takes as
// long whichever it is, and tells nothing about their lengths.
type secrets struct {
	values []config.Secret
	hashes [][sha256.Size]byte
}

func newSecrets(values []config.Secret) (secrets, error) {
	var s secrets
	for _, v := range values {
		if v.IsZero() { // would let in whoever sends nothing
			continue
		}
		s.values = append(s.values, v)
		s.hashes = append(s.hashes, sha256.Sum256([]byte(v.Reveal())))
	}
	if len(s.values) == 0 {
		return secrets{}, errors.New("there is no secret to compare with")
	}
	return s, nil
}

// include tells whether given is one of the secrets. A blank one never is.
func (s secrets) include(given string) bool {
	sum, equal := sha256.Sum256([]byte(given)), 0
	for i := range s.hashes {
		equal |= subtle.ConstantTimeCompare(sum[:], s.hashes[i][:])
	}
	return equal == 1 && given != ""
}

// signed tells whether mac authenticates the message under one of the secrets.
func (s secrets) signed(mac, message []byte, algorithm func() hash.Hash) bool {
	valid := false
	for _, v := range s.values {
		h := hmac.New(algorithm, []byte(v.Reveal()))
		_, _ = h.Write(message) // a hash's Write never fails
		if hmac.Equal(mac, h.Sum(nil)) {
			valid = true
		}
	}
	return valid
}

// newShared picks the way in which a shared secret is proven.
func newShared(r config.Registry, values []config.Secret) (proof, error) {
	s, err := newSecrets(values)
	if err != nil {
		return nil, err
	}
	switch a := r.Webhook.Auth; a.Type {
	case config.AnyAuth:
		return anyway{s, signed{s, signaturesOf(r.Kind())}}, nil
	case config.PathAuth:
		return shown(func(_ *http.Request, path string) bool { return s.include(path) }), nil
	case config.HeaderAuth:
		name := a.Header
		if name == "" {
			name = authorization
		}
		return shown(func(req *http.Request, _ string) bool { return s.include(only(req.Header, name)) }), nil
	case config.BasicAuth:
		return newBasic(s, a.Username), nil
	case config.BearerAuth:
		return shown(func(req *http.Request, _ string) bool { return s.include(bearer(req.Header)) }), nil
	case config.HMACAuth:
		return signed{s, signaturesOf(r.Kind())}, nil
	default:
		return nil, fmt.Errorf("type %q is not known", a.Type)
	}
}

// shown is a proof that stands in the head of the request.
type shown func(req *http.Request, path string) bool

func (f shown) early(req *http.Request, path string) Decision { return decide(f(req, path)) }

func decide(proven bool) Decision {
	if proven {
		return Admitted
	}
	return Refused
}

// body refuses: there was nothing more to come.
func (shown) body(*http.Request, []byte) error { return errNoProof }

var errNoProof = errors.New("the request shows no proof")

func newBasic(s secrets, username string) shown {
	want := sha256.Sum256([]byte(username))
	return func(req *http.Request, _ string) bool {
		user, password := basic(req)
		given := sha256.Sum256([]byte(user))
		known := username == "" || subtle.ConstantTimeCompare(given[:], want[:]) == 1
		return s.include(password) && known
	}
}

// anyway takes the secret wherever a registry is able to put it: at the end of
// the address, in a header, or into a signature.
type anyway struct {
	secrets secrets
	signed  signed
}

func (a anyway) early(req *http.Request, path string) Decision {
	if path != "" { // no second try: whoever has the address has its end
		return decide(a.secrets.include(path))
	}
	_, password := basic(req)
	known := false
	for _, given := range []string{only(req.Header, authorization), bearer(req.Header), password, only(req.Header, "X-Webhook-Secret")} {
		if a.secrets.include(given) {
			known = true
		}
	}
	if known {
		return Admitted
	}
	return a.signed.early(req, path)
}

func (a anyway) body(req *http.Request, body []byte) error { return a.signed.body(req, body) }

const authorization = "Authorization"

// only is the value of a header that is there once. Of two nobody knows which
// one a proxy has looked at.
func only(h http.Header, name string) string {
	if v := h.Values(name); len(v) == 1 {
		return v[0]
	}
	return ""
}

// bearer is the token of RFC 6750, blank for none.
func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(only(h, authorization), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimLeft(token, " ")
}

// basic is the user and password of RFC 7617, blank for none.
func basic(req *http.Request) (user, password string) {
	if only(req.Header, authorization) == "" {
		return "", ""
	}
	user, password, _ = req.BasicAuth()
	return user, password
}
