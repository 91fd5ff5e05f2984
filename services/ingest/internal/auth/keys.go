package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"
)

// keySource finds the public keys that a token may be signed with; kid is the
// key's id, blank when the token names none.
type keySource interface {
	find(ctx context.Context, kid string) ([]jose.JSONWebKey, error)
}

// keySet verifies one token for oidc and keeps the reason, which oidc does not
// pass on whole.
type keySet struct {
	source keySource
	err    error
}

var errToken = errors.New("it is not signed by the issuer")

// VerifySignature implements oidc.KeySet.
func (s *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := s.verify(ctx, token)
	s.err = err
	return payload, err
}

func (s *keySet) verify(ctx context.Context, token string) ([]byte, error) {
	var allowed []jose.SignatureAlgorithm
	for _, a := range algorithms() {
		allowed = append(allowed, jose.SignatureAlgorithm(a))
	}
	jws, err := jose.ParseSignedCompact(token, allowed)
	if err != nil {
		return nil, errToken
	}
	head := jws.Signatures[0].Header
	keys, err := s.source.find(ctx, head.KeyID)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.Algorithm != "" && k.Algorithm != head.Algorithm {
			continue
		}
		if payload, err := jws.Verify(k.Key); err == nil {
			return payload, nil
		}
	}
	return nil, errToken
}

// keyFile is a file of keys (JWKS, RFC 7517). It is read for every token, so
// that a change counts at once; such files are small.
type keyFile struct{ dir, name string }

func (f keyFile) find(_ context.Context, kid string) ([]jose.JSONWebKey, error) {
	keys, err := f.read()
	if err != nil {
		return nil, fmt.Errorf("%w: key file %s: %w", ErrUnavailable, f.name, err)
	}
	return pick(keys, kid), nil
}

func (f keyFile) read() (keys []jose.JSONWebKey, err error) {
	file, err := os.OpenInRoot(f.dir, filepath.FromSlash(f.name))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	b, err := io.ReadAll(io.LimitReader(file, fetchMost+1))
	if err != nil {
		return nil, err
	}
	if len(b) > fetchMost {
		return nil, fmt.Errorf("longer than %d bytes", fetchMost)
	}
	return parseKeys(b)
}

// parseKeys reads a JWKS and leaves out the keys that are of no use here:
// unknown kinds, and those that do not verify signatures.
func parseKeys(b []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, fmt.Errorf("decode keys: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) != nil || (k.Use != "" && k.Use != "sig") {
			continue
		}
		if public := k.Public(); public.Valid() { // of a symmetric key it is not
			keys = append(keys, public)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no usable key in it")
	}
	return keys, nil
}

func pick(keys []jose.JSONWebKey, kid string) []jose.JSONWebKey {
	if kid == "" {
		return keys
	}
	return (&jose.JSONWebKeySet{Keys: keys}).Key(kid)
}

const (
	keysFresh  = time.Hour        // then they are asked for again
	keysUsable = 24 * time.Hour   // how long they serve while the issuer does not answer
	keysRetry  = 10 * time.Second // between two questions: anybody can invent key ids
)

// issuerKeys are the keys that an issuer publishes (OpenID Connect Discovery
// 1.0). They are kept, and asked for again when a token names one that is not
// among them or when they are old.
type issuerKeys struct {
	issuer  string
	fetch   fetcher
	now     func() time.Time
	log     *zap.Logger
	loading sync.Mutex // held by the one who asks the issuer

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	loaded  time.Time
	tried   time.Time
	failure error // of the last try
}

func newIssuerKeys(issuer string, o Options) *issuerKeys {
	return &issuerKeys{issuer: issuer, fetch: newFetcher(o.Client), now: o.Now, log: o.Log}
}

func (k *issuerKeys) find(ctx context.Context, kid string) ([]jose.JSONWebKey, error) {
	if k.due(kid) {
		k.refresh(ctx, kid)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	found := pick(k.keys, kid)
	switch {
	case len(found) > 0 && k.now().Sub(k.loaded) < keysUsable:
		return found, nil
	case k.failure != nil:
		return nil, fmt.Errorf("%w: keys of %s: %w", ErrUnavailable, k.issuer, k.failure)
	default:
		return nil, errToken
	}
}

// due tells whether the issuer is to be asked.
func (k *issuerKeys) due(kid string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now().Sub(k.tried) < keysRetry {
		return false
	}
	return len(pick(k.keys, kid)) == 0 || k.now().Sub(k.loaded) >= keysFresh
}

// refresh asks the issuer, one asker at a time; those who waited find it done.
// Who asks first does so for all, so it does not matter whether he goes away.
func (k *issuerKeys) refresh(ctx context.Context, kid string) {
	k.loading.Lock()
	defer k.loading.Unlock()
	if !k.due(kid) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
	defer cancel()
	keys, err := k.load(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried, k.failure = k.now(), err
	if err != nil {
		k.log.Warn("issuer keys not read", zap.String("issuer", k.issuer), zap.Error(err))
		return
	}
	k.keys, k.loaded = keys, k.tried
}

// load asks where the keys are, and fetches them.
func (k *issuerKeys) load(ctx context.Context) ([]jose.JSONWebKey, error) {
	b, err := k.fetch.get(ctx, strings.TrimSuffix(k.issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(b, &about); err != nil {
		return nil, fmt.Errorf("decode the issuer's configuration: %w", err)
	}
	if about.Issuer != k.issuer {
		return nil, fmt.Errorf("the issuer calls itself %q", about.Issuer)
	}
	if err := checkHTTPS(about.Keys); err != nil { // may be another host: Google's and Entra's is
		return nil, fmt.Errorf("address of the keys: %w", err)
	}
	if b, err = k.fetch.get(ctx, about.Keys); err != nil {
		return nil, err
	}
	return parseKeys(b)
}

func checkHTTPS(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("not an https URL")
	}
	return nil
}
