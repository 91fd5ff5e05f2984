package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

const (
	audience = "https://hooks.example.com/hooks/r"
	account  = "pusher@project.iam.gserviceaccount.com"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

type claims map[string]any

// with is a copy with some claims changed; nil removes one.
func (c claims) with(pairs ...any) claims {
	out := maps.Clone(c)
	for i := 0; i < len(pairs); i += 2 {
		if out[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(out, pairs[i].(string))
		}
	}
	return out
}

// token writes a token by hand (RFC 7515, section 3.1).
func token(t *testing.T, alg, kid string, c claims, sign func(digest []byte) ([]byte, error)) string {
	t.Helper()
	header := map[string]string{"alg": alg, "typ": "JWT"}
	if kid != "" {
		header["kid"] = kid
	}
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	p, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	text := b64(h) + "." + b64(p)
	digest := sha256.Sum256([]byte(text))
	signature, err := sign(digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(signature)
}

func rs256(t *testing.T, key *rsa.PrivateKey, kid string, c claims) string {
	t.Helper()
	return token(t, "RS256", kid, c, func(digest []byte) ([]byte, error) {
		return rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest)
	})
}

func es256(t *testing.T, key *ecdsa.PrivateKey, kid string, c claims) string {
	t.Helper()
	return token(t, "ES256", kid, c, func(digest []byte) ([]byte, error) {
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			return nil, err
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
	})
}

// jwk writes a public key by hand (RFC 7518, section 6).
func jwk(t *testing.T, kid string, key crypto.PublicKey, more ...string) string {
	t.Helper()
	m := map[string]string{"kid": kid}
	switch k := key.(type) {
	case *rsa.PublicKey:
		m["kty"], m["n"], m["e"] = "RSA", b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		m["kty"], m["crv"], m["x"], m["y"] = "EC", "P-256", b64(point[1:33]), b64(point[33:])
	}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func jwks(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// issuer is an OpenID Connect issuer.
type issuer struct {
	*httptest.Server
	asked atomic.Int64 // how often for its keys

	mu        sync.Mutex
	about     string // instead of its configuration
	keys      string
	elsewhere string                    // where everything redirects to
	hold      func(ctx context.Context) // before it answers
	broken    bool
}

func newIssuer(t *testing.T, keys ...string) *issuer {
	t.Helper()
	i := &issuer{keys: jwks(keys...)}
	i.Server = httptest.NewTLSServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) change(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f()
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	i.mu.Lock()
	hold := i.hold
	i.mu.Unlock()
	if hold != nil {
		hold(req.Context())
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	answer := i.keys
	switch req.URL.Path {
	case "/.well-known/openid-configuration":
		if answer = i.about; answer == "" {
			answer = `{"issuer":"` + i.URL + `","jwks_uri":"` + i.URL + `/keys"}`
		}
	case "/keys":
		i.asked.Add(1)
	default:
		answer = "{}"
	}
	switch {
	case i.broken:
		w.WriteHeader(http.StatusBadGateway)
	case i.elsewhere != "":
		http.Redirect(w, req, i.elsewhere+req.URL.Path, http.StatusFound)
	default:
		_, _ = w.Write([]byte(answer))
	}
}

func (i *issuer) guard(t *testing.T, c *clock) *Guard {
	t.Helper()
	return i.patient(t, c, 0)
}

// patient is the same whose deliveries wait for the issuer for no longer.
func (i *issuer) patient(t *testing.T, c *clock, patience time.Duration) *Guard {
	t.Helper()
	r := registry(config.GAR, config.WebhookAuth{Type: config.JWTAuth, Issuer: i.URL, Audience: audience, Subjects: []string{account, "app-id"}})
	return guard(t, r, Options{Client: i.Client(), Now: c.now, Patience: patience})
}

// claims are what Google writes into the tokens of a push subscription.
func (i *issuer) claims(c *clock) claims {
	return claims{
		"iss": i.URL, "aud": audience, "sub": "113774264463038321964", "azp": "113774264463038321964",
		"email": account, "email_verified": true, "iat": c.now().Unix(), "exp": c.now().Add(time.Hour).Unix(),
	}
}

func present(t *testing.T, g *Guard, token string) int {
	t.Helper()
	return deliver(t, g, delivery{header: head("Authorization", "Bearer "+token), body: "{}"})
}

func TestToken(t *testing.T) {
	rsaKey, other := newRSA(t, 2048), newRSA(t, 2048)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := newIssuer(t, jwk(t, "r", &rsaKey.PublicKey, "alg", "RS256"), jwk(t, "e", &ecKey.PublicKey),
		jwk(t, "enc", &other.PublicKey, "use", "enc"), jwk(t, "512", &other.PublicKey, "alg", "RS512"),
		`{"kty":"oct","kid":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}`, `{"kty":"unheard-of","kid":"new"}`)
	c := newClock()
	g, good := i.guard(t, c), i.claims(c)
	signed := func(with ...any) string { return rs256(t, rsaKey, "r", good.with(with...)) }
	hs256 := func(kid string, key []byte) string {
		text := b64([]byte(`{"alg":"HS256","kid":"`+kid+`"}`)) + "." + strings.Split(signed(), ".")[1]
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return text + "." + b64(mac.Sum(nil))
	}
	der, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, token string
		want        int
	}{
		{"Google's", signed(), late},
		{"elliptic", es256(t, ecKey, "e", good), late},
		{"no key id", es256(t, ecKey, "", good), late},
		{"audience among others", signed("aud", []string{"x", audience}), late},
		{"Entra 1.0 application", signed("appid", "app-id", "email", nil), late},
		{"Entra 2.0 application", signed("azp", "app-id", "email", nil), late},
		{"subject", signed("sub", "app-id", "email", nil), late},
		{"another account", signed("email", "other@example.com"), refused},
		{"no account", signed("email", nil), refused},
		{"address not verified", signed("email_verified", false), refused},
		{"address verified, it says", signed("email_verified", "true"), refused},
		{"verification left out", signed("email_verified", nil), refused},
		{"account in another claim", signed("email", nil, "name", account), refused},
		{"account under another name", signed("email", nil, "Email", account), refused},
		{"another audience", signed("aud", audience+"/"), refused},
		{"no audience", signed("aud", nil), refused},
		{"another issuer", signed("iss", "https://accounts.google.com"), refused},
		{"no issuer", signed("iss", nil), refused},
		{"expired", signed("exp", c.now().Add(-time.Second).Unix()), refused},
		{"without end", signed("exp", nil), refused},
		{"not yet", signed("nbf", c.now().Add(time.Hour).Unix()), refused},
		{"another's key", rs256(t, other, "r", good), refused},
		{"another's key, no id", rs256(t, other, "", good), refused},
		{"key that does not sign", rs256(t, other, "enc", good), refused},
		{"key for another algorithm", rs256(t, other, "512", good), refused},
		{"unknown key", rs256(t, other, "x", good), refused},
		{"changed", strings.Replace(signed(), ".", ".e30", 1), refused},
		{"none", b64([]byte(`{"alg":"none"}`)) + "." + strings.Split(signed(), ".")[1] + ".", refused},
		{"HMAC with the public key", hs256("r", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), refused},
		{"HMAC with a published key", hs256("oct", []byte("secretsecretsecretsecret")), refused},
		{"cut", signed()[:len(signed())-1], refused},
		{"no token", "x", refused},
		{"dots", "..", refused},
		{"the shared secret", secret, refused},
		{"too long", signed("x", strings.Repeat("x", maxToken)), refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := present(t, g, tt.token); got != tt.want {
				t.Errorf("answered %d, want %d", got, tt.want)
			}
		})
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times within a moment", n)
	}
	for name, h := range map[string]http.Header{
		"none": {}, "twice": head("Authorization", "Bearer "+signed(), "Authorization", "Bearer "+signed()), "no scheme": head("Authorization", signed()),
	} {
		if got := deliver(t, g, delivery{header: h}); got != refused {
			t.Errorf("%s: answered %d", name, got)
		}
	}
}
