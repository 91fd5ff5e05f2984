package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/limit"
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
	b, err := limit.ReadAll(file, fetchMost)
	if err != nil {
		return nil, err
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
	keysFresh  = time.Hour        // then a token waits for them to be asked for again
	keysUsable = 24 * time.Hour   // how long they serve while the issuer does not answer
	keysRetry  = 10 * time.Second // between two questions: anybody can invent key ids
	// keysPatience is how long a delivery waits for the issuer: the most hurried
	// sender gives up after half a second.
	keysPatience = 400 * time.Millisecond
)

// issuerKeys are the keys that an issuer publishes (OpenID Connect Discovery
// 1.0). They are kept, and asked for again when a token names one that is not
// among them or when they grow old. The issuer is asked by the side: one
// question for all who wait, which goes on when their patience is over.
type issuerKeys struct {
	issuer   string
	fetch    fetcher
	patience time.Duration
	now      func() time.Time
	log      *zap.Logger

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	loaded  time.Time
	tried   time.Time
	failure error         // of the last try
	asking  chan struct{} // closed when the issuer has answered or failed to; nil: nobody asks
}

func newIssuerKeys(issuer string, o Options) *issuerKeys {
	return &issuerKeys{issuer: issuer, fetch: newFetcher(o.Client), patience: o.Patience, now: o.Now, log: o.Log}
}

// warm asks for the keys before the first token needs one.
func (k *issuerKeys) warm() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ask("")
}

func (k *issuerKeys) find(ctx context.Context, kid string) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	k.ask(kid) //nolint:contextcheck // the question is not this delivery's alone
	asking := k.asking
	wait := asking != nil && k.needed(kid)
	k.mu.Unlock()
	answered := !wait || k.await(ctx, asking)
	k.mu.Lock()
	defer k.mu.Unlock()
	found := pick(k.keys, kid)
	switch {
	case len(found) > 0 && k.age() < keysUsable:
		return found, nil
	case !answered:
		return nil, fmt.Errorf("%w: keys of %s: no answer within %s", ErrUnavailable, k.issuer, k.patience)
	case k.failure != nil:
		return nil, fmt.Errorf("%w: keys of %s: %w", ErrUnavailable, k.issuer, k.failure)
	default:
		return nil, errToken
	}
}

// await reports whether the question was answered in time.
func (k *issuerKeys) await(ctx context.Context, asking <-chan struct{}) bool {
	ctx, cancel := context.WithTimeout(ctx, k.patience)
	defer cancel()
	select {
	case <-asking:
		return true
	case <-ctx.Done():
		return false
	}
}

func (k *issuerKeys) age() time.Duration { return k.now().Sub(k.loaded) }

// needed reports whether a token of this key should wait for new keys. A known
// key, old as it is, waits for no issuer that did not answer the last time.
func (k *issuerKeys) needed(kid string) bool {
	if len(pick(k.keys, kid)) == 0 || k.age() >= keysUsable {
		return true
	}
	return k.age() >= keysFresh && k.failure == nil
}

// ask begins to ask the issuer, if that is due: well before the keys are too old
// to go by without.
func (k *issuerKeys) ask(kid string) {
	known := len(pick(k.keys, kid)) > 0 && k.age() < keysFresh/2
	if known || k.asking != nil || k.now().Sub(k.tried) < keysRetry {
		return
	}
	k.asking = make(chan struct{})
	go k.refresh(k.asking)
}

// refresh takes fetchTime at most for both documents.
func (k *issuerKeys) refresh(asking chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	keys, err := k.load(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	defer close(asking)
	k.asking, k.tried, k.failure = nil, k.now(), err
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
