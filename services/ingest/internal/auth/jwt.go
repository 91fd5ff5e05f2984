package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// maxToken is far above any token of Google or Entra, in bytes.
const maxToken = 16 << 10

// tokens is the proof by a token that an issuer signed, for us and for one of
// the accepted accounts.
type tokens struct {
	issuer   string
	subjects names
	keys     keySource
	config   *oidc.Config
}

func newTokens(a config.WebhookAuth, o Options) (proof, error) {
	subjects, err := newNames(a.Subjects)
	if err != nil {
		return nil, err
	}
	if a.Audience == "" {
		return nil, errors.New("the audience is missing: any token of the issuer would do")
	}
	if err := checkHTTPS(a.Issuer); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	t := &tokens{issuer: a.Issuer, subjects: subjects, config: &oidc.Config{
		ClientID: a.Audience, SupportedSigningAlgs: algorithms(), Now: o.Now,
	}}
	switch {
	case a.Keys == "":
		t.keys = newIssuerKeys(a.Issuer, o)
	case o.SecretsDir == "":
		return nil, errors.New("keys are in a file, but no secrets folder is configured")
	default:
		t.keys = keyFile{dir: o.SecretsDir, name: a.Keys}
	}
	return t, nil
}

// warm has the issuer's keys fetched; a file is read when it is needed.
func (t *tokens) warm() {
	if k, ok := t.keys.(*issuerKeys); ok {
		k.warm()
	}
}

// algorithms are those with a public key. With the others, a token could be
// signed with what everybody may read.
func algorithms() []string {
	return []string{
		oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512,
		oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
	}
}

func (t *tokens) early(req *http.Request, _ string) Decision {
	if token := bearer(req.Header); len(token) <= maxToken && strings.Count(token, ".") == 2 {
		return NeedsBody
	}
	return Refused
}

func (t *tokens) body(req *http.Request, _ []byte) error {
	if t.early(req, "") != NeedsBody {
		return errNoProof
	}
	keys := &keySet{source: t.keys}
	token, err := oidc.NewVerifier(t.issuer, keys, t.config).Verify(req.Context(), bearer(req.Header))
	switch {
	case keys.err != nil: // the verifier does not wrap it
		return fmt.Errorf("token: %w", keys.err)
	case err != nil:
		return fmt.Errorf("token: %w", err)
	}
	return t.accepted(token)
}

var errSubject = errors.New("token: it belongs to none of the accepted accounts")

// accepted looks for one of the accepted accounts: the address of a Google
// service account, the application of an Entra token (azp, or appid in version
// 1.0), or the subject.
func (t *tokens) accepted(token *oidc.IDToken) error {
	var claims map[string]json.RawMessage // by their exact names, unlike a struct's fields
	if err := token.Claims(&claims); err != nil {
		return fmt.Errorf("token: claims: %w", err)
	}
	given := []string{text(claims["azp"]), text(claims["appid"]), text(claims["sub"])}
	if string(claims["email_verified"]) == "true" {
		given = append(given, text(claims["email"]))
	}
	if !slices.ContainsFunc(given, func(s string) bool { return slices.Contains(t.subjects, s) }) {
		return errSubject
	}
	return nil
}

// text is a JSON string's value, blank for anything else.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
