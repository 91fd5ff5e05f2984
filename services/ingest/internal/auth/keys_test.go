package auth

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

func TestKeysRotate(t *testing.T) {
	first, second := newRSA(t, 2048), newRSA(t, 2048)
	i, c := newIssuer(t, jwk(t, "1", &first.PublicKey)), newClock()
	g, good := i.guard(t, c), i.claims(c)
	if got := present(t, g, rs256(t, first, "1", good)); got != late {
		t.Fatalf("first key: answered %d", got)
	}
	i.change(func() { i.keys = jwks(jwk(t, "2", &second.PublicKey)) })
	c.pass(keysRetry)
	if got := present(t, g, rs256(t, second, "2", good)); got != late {
		t.Errorf("second key: answered %d", got)
	}
	if got := present(t, g, rs256(t, first, "1", good)); got != refused {
		t.Errorf("first key, withdrawn: answered %d", got)
	}
	for range 5 {
		present(t, g, rs256(t, first, "invented", good))
	}
	if n := i.asked.Load(); n != 2 {
		t.Errorf("the issuer was asked %d times, want 2: invented key ids make it no more", n)
	}
	i.change(func() { i.keys = jwks(jwk(t, "3", &first.PublicKey)) })
	c.pass(keysFresh)
	if got := present(t, g, rs256(t, second, "2", good.with("exp", c.now().Add(time.Hour).Unix()))); got != refused {
		t.Errorf("second key, withdrawn: answered %d", got)
	}
}

func TestIssuerIsAway(t *testing.T) {
	key := newRSA(t, 2048)
	i, c := newIssuer(t, jwk(t, "1", &key.PublicKey)), newClock()
	g := i.guard(t, c)
	valid := func(kid string) string { return rs256(t, key, kid, i.claims(c)) }
	i.change(func() { i.broken = true })
	if got := present(t, g, valid("1")); got != unavailable {
		t.Errorf("never asked with success: answered %d", got)
	}
	i.change(func() { i.broken = false })
	if got := present(t, g, valid("1")); got != unavailable {
		t.Errorf("asked a moment ago: answered %d", got)
	}
	c.pass(keysRetry)
	if got := present(t, g, valid("1")); got != late {
		t.Errorf("back: answered %d", got)
	}
	i.Close()
	c.pass(keysUsable - time.Minute)
	if got := present(t, g, valid("1")); got != late {
		t.Errorf("known key: answered %d", got)
	}
	if got := present(t, g, valid("2")); got != unavailable {
		t.Errorf("unknown key: answered %d", got)
	}
	c.pass(time.Minute)
	if got := present(t, g, valid("1")); got != unavailable {
		t.Errorf("known key, a day later: answered %d", got)
	}
}

func TestIssuerThatAnswersOddly(t *testing.T) {
	key := newRSA(t, 2048)
	elsewhere := newIssuer(t, jwk(t, "1", &key.PublicKey))
	for name, change := range map[string]func(*issuer){
		"another's configuration": func(i *issuer) {
			i.about = `{"issuer":"` + elsewhere.URL + `","jwks_uri":"` + elsewhere.URL + `/keys"}`
		},
		"keys without TLS": func(i *issuer) {
			i.about = `{"issuer":"` + i.URL + `","jwks_uri":"http://` + i.Listener.Addr().String() + `/keys"}`
		},
		"no address of keys": func(i *issuer) { i.about = `{"issuer":"` + i.URL + `"}` },
		"a page":             func(i *issuer) { i.about = "<html>" },
		"a page for keys":    func(i *issuer) { i.keys = "<html>" },
		"no keys":            func(i *issuer) { i.keys = jwks() },
		"endless":            func(i *issuer) { i.keys = jwks(jwk(t, "1", &key.PublicKey)) + strings.Repeat(" ", fetchMost) },
		"a redirect":         func(i *issuer) { i.elsewhere = elsewhere.URL },
	} {
		t.Run(name, func(t *testing.T) {
			i, c := newIssuer(t, jwk(t, "1", &key.PublicKey)), newClock()
			g := i.guard(t, c)
			if got := present(t, g, rs256(t, key, "1", i.claims(c))); got != late {
				t.Fatalf("before: answered %d", got)
			}
			g = i.guard(t, c)
			i.change(func() { change(i) })
			if got := present(t, g, rs256(t, key, "1", i.claims(c))); got != unavailable {
				t.Errorf("answered %d", got)
			}
		})
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("another issuer was asked %d times", n)
	}
}

// An issuer that keeps everybody waiting does not hold up tokens whose key is
// known, however many name an unknown one.
func TestKnownKeyDoesNotWait(t *testing.T) {
	key := newRSA(t, 2048)
	i, c := newIssuer(t, jwk(t, "1", &key.PublicKey)), newClock()
	g := i.guard(t, c)
	if got := present(t, g, rs256(t, key, "1", i.claims(c))); got != late {
		t.Fatalf("answered %d", got)
	}
	c.pass(keysRetry)
	waiting, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	i.change(func() {
		i.hold = func(context.Context) {
			once.Do(func() { close(waiting) })
			<-release
		}
	})
	unknown := make(chan int)
	forged := rs256(t, key, "2", i.claims(c))
	go func() { unknown <- present(t, g, forged) }()
	<-waiting
	if got := present(t, g, rs256(t, key, "1", i.claims(c))); got != late {
		t.Errorf("answered %d", got)
	}
	close(release)
	if got := <-unknown; got != refused {
		t.Errorf("unknown key: answered %d", got)
	}
}

// An issuer that takes the connection and says nothing is asked once for all
// tokens, and their senders hear that they should come again while it is still
// being asked. When it answers at last, the next delivery finds its keys.
func TestIssuerHangs(t *testing.T) {
	key := newRSA(t, 2048)
	i, c := newIssuer(t, jwk(t, "1", &key.PublicKey)), newClock()
	release, questions, dropped := make(chan struct{}), atomic.Int64{}, atomic.Int64{}
	defer close(release)
	i.change(func() {
		i.hold = func(ctx context.Context) {
			questions.Add(1)
			select {
			case <-release:
			case <-ctx.Done():
				dropped.Add(1)
			}
		}
	})
	g, valid := i.patient(t, c, keysPatience), rs256(t, key, "1", i.claims(c))
	if got := present(t, g, valid); got != unavailable {
		t.Errorf("answered %d", got)
	}
	if n := dropped.Load(); n != 0 {
		t.Errorf("the answer waited until the question was given up")
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got := present(t, g, valid); got != unavailable {
				t.Errorf("answered %d", got)
			}
		})
	}
	all.Wait()
	if n := questions.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

// Nothing waits for keys that were fetched before the first delivery, nor for
// an issuer that is silent when they grow old.
func TestKeysAreFetchedBefore(t *testing.T) {
	key := newRSA(t, 2048)
	i, c := newIssuer(t, jwk(t, "1", &key.PublicKey)), newClock()
	g := i.patient(t, c, time.Nanosecond)
	valid := func() string { return rs256(t, key, "1", i.claims(c)) }
	g.Warm()
	for deadline := time.Now().Add(time.Minute); present(t, g, valid()) != late; { // the issuer is being asked
		if time.Now().After(deadline) {
			t.Fatal("the keys never came")
		}
	}
	release := make(chan struct{})
	defer close(release)
	i.change(func() { i.hold = func(context.Context) { <-release } })
	for _, age := range []time.Duration{keysFresh / 2, keysFresh, keysUsable - 2*keysFresh} {
		c.pass(age)
		if got := present(t, g, valid()); got != late {
			t.Errorf("after another %s: answered %d", age, got)
		}
	}
}

func TestKeyFile(t *testing.T) {
	first, second := newRSA(t, 2048), newRSA(t, 2048)
	dir := t.TempDir()
	folder := filepath.Join(dir, "secrets")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := newClock()
	with := func(file string) *Guard {
		a := config.WebhookAuth{Type: config.JWTAuth, Issuer: "https://accounts.google.com", Audience: audience, Keys: file, Subjects: []string{account}}
		return guard(t, registry(config.GAR, a), Options{SecretsDir: folder, Now: c.now})
	}
	good := (&issuer{Server: &httptest.Server{URL: "https://accounts.google.com"}}).claims(c)
	g := with("google.json")
	for _, step := range []struct {
		name, text, token string
		want              int
	}{
		{"first key", jwks(jwk(t, "1", &first.PublicKey)), rs256(t, first, "1", good), late},
		{"Google's other name", jwks(jwk(t, "1", &first.PublicKey)), rs256(t, first, "1", good.with("iss", "accounts.google.com")), late},
		{"second key, too early", jwks(jwk(t, "1", &first.PublicKey)), rs256(t, second, "2", good), refused},
		{"second key", jwks(jwk(t, "2", &second.PublicKey)), rs256(t, second, "2", good), late},
		{"first key, gone", jwks(jwk(t, "2", &second.PublicKey)), rs256(t, first, "1", good), refused},
		{"half written", `{"keys":[`, rs256(t, second, "2", good), unavailable},
		{"too long", jwks(jwk(t, "2", &second.PublicKey)) + strings.Repeat(" ", fetchMost), rs256(t, second, "2", good), unavailable},
	} {
		write("secrets/google.json", step.text)
		if got := present(t, g, step.token); got != step.want {
			t.Errorf("%s: answered %d, want %d", step.name, got, step.want)
		}
	}
	write("outside.json", jwks(jwk(t, "1", &first.PublicKey)))
	for _, file := range []string{"missing.json", "../outside.json", filepath.Join(dir, "outside.json")} {
		if got := present(t, with(file), rs256(t, first, "1", good)); got != unavailable {
			t.Errorf("%s: answered %d", filepath.Base(file), got)
		}
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"1","n":"u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0_IzW7yWR7QkrmBL7jTKEn5u","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"},{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},7]}`))
	// The private key of RFC 8037, appendix A.1: by mistake, such files hold them.
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeys(b)
		if err == nil && len(keys) == 0 {
			t.Error("no keys, no error")
		}
		for _, k := range keys {
			if !k.IsPublic() || k.Use == "enc" {
				t.Errorf("%s is no key for verifying", k.KeyID)
			}
		}
	})
}
