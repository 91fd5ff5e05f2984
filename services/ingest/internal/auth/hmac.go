package auth

import (
	"crypto/sha1" //nolint:gosec // Nexus signs with nothing else
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// signature is how a type of sender signs a body with the secret.
type signature struct {
	header string
	prefix string // before the hexadecimal digits
	hash   func() hash.Hash
	form   bool // over the JSON in a form, not over the form
}

// signaturesOf are the signatures that senders for a type of registry make.
// GitHub's X-Hub-Signature, with SHA-1, is not among them: whoever sends it
// sends the better one too.
func signaturesOf(kind config.RegistryType) []signature {
	github := signature{header: "X-Hub-Signature-256", prefix: "sha256=", hash: sha256.New}
	switch kind {
	case config.JFrog:
		return []signature{{header: "X-JFrog-Event-Auth", hash: sha256.New}}
	case config.Nexus:
		return []signature{{header: "X-Nexus-Webhook-Signature", hash: sha1.New}}
	case config.Gitea, config.OCI: // a Gitea may well be configured as a registry like any other
		github.form = true
		return []signature{
			{header: "X-Gitea-Signature", hash: sha256.New, form: true},
			{header: "X-Forgejo-Signature", hash: sha256.New, form: true},
			github,
		}
	default:
		return []signature{github}
	}
}

// in finds the signature in a request's head. Gitea without a secret sends the
// header with nothing in it.
func (s signature) in(h http.Header) ([]byte, bool) {
	return parseSignature(only(h, s.header), s.prefix, s.hash().Size())
}

func parseSignature(value, prefix string, size int) ([]byte, bool) {
	digits, ok := strings.CutPrefix(value, prefix)
	if !ok || len(digits) != hex.EncodedLen(size) {
		return nil, false
	}
	mac, err := hex.DecodeString(digits)
	return mac, err == nil
}

// over is what the signature is made over.
func (s signature) over(req *http.Request, body []byte) ([]byte, error) {
	if !s.form {
		return body, nil
	}
	if req.Method == http.MethodGet {
		return payloadOfQuery(req.URL.RawQuery, body)
	}
	if kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return body, nil
	}
	return payloadOfForm(string(body))
}

var (
	errForm  = errors.New("the form holds other than one payload")
	errQuery = errors.New("the body is not the payload that was signed")
)

// payloadOfForm reads a form that holds a payload and nothing else. With more
// in it, the same bytes could be a form to the guard, with a payload signed
// once before, and JSON to whoever reads them next.
func payloadOfForm(form string) ([]byte, error) {
	values, err := url.ParseQuery(form)
	if err != nil || len(values) != 1 || len(values["payload"]) != 1 {
		return nil, errForm
	}
	return []byte(values.Get("payload")), nil
}

// payloadOfQuery reads the payload of a GET. A body beside it is not signed; it
// may only repeat the payload.
func payloadOfQuery(query string, body []byte) ([]byte, error) {
	values, err := url.ParseQuery(query)
	if err != nil || len(values["payload"]) != 1 {
		return nil, errForm
	}
	payload := values.Get("payload")
	if len(body) > 0 && string(body) != payload {
		return nil, errQuery
	}
	return []byte(payload), nil
}

// signed is the proof by a signature over the body.
type signed struct {
	secrets    secrets
	signatures []signature
}

func (p signed) early(req *http.Request, _ string) Decision {
	for _, s := range p.signatures {
		if _, ok := s.in(req.Header); ok {
			return NeedsBody
		}
	}
	return Refused
}

var errSignature = errors.New("the signature is missing or not made with the secret")

func (p signed) body(req *http.Request, body []byte) error {
	for _, s := range p.signatures {
		mac, ok := s.in(req.Header)
		if !ok {
			continue
		}
		message, err := s.over(req, body)
		if err != nil {
			return err
		}
		if p.secrets.signed(mac, message, s.hash) {
			return nil
		}
	}
	return errSignature
}
