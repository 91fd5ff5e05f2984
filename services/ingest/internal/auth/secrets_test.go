package auth

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

func userAndPassword(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestSharedSecret(t *testing.T) {
	var (
		path   = "/" + url.PathEscape(secret)
		any_   = config.WebhookAuth{}
		header = config.WebhookAuth{Type: config.HeaderAuth}
		named  = config.WebhookAuth{Type: config.HeaderAuth, Header: "x-jfrog-event-auth"}
		basic  = config.WebhookAuth{Type: config.BasicAuth, Username: "harbor"}
		anyone = config.WebhookAuth{Type: config.BasicAuth}
		bearer = config.WebhookAuth{Type: config.BearerAuth}
		inPath = config.WebhookAuth{Type: config.PathAuth}
	)
	for _, tt := range []struct {
		name string
		auth config.WebhookAuth
		d    delivery
		want int
	}{
		{"any: nothing", any_, delivery{}, refused},
		{"any: path", any_, delivery{path: path}, early},
		{"any: previous secret in the path", any_, delivery{path: "/" + url.PathEscape(older)}, early},
		{"any: blank path", any_, delivery{path: "/%20"}, refused},
		{"any: part of the secret", any_, delivery{path: "/hook%20secret%20"}, refused},
		{"any: right header, wrong path", any_, delivery{path: "/wrong", header: head("Authorization", secret)}, refused},
		{"any: raw", any_, delivery{header: head("Authorization", secret)}, early},
		{"any: bearer", any_, delivery{header: head("Authorization", "Bearer "+secret)}, early},
		{"any: schemes have no case", any_, delivery{header: head("Authorization", "bearer  "+older)}, early},
		{"any: basic", any_, delivery{header: head("Authorization", userAndPassword("zot", secret))}, early},
		{"any: the secret as user", any_, delivery{header: head("Authorization", userAndPassword(secret, "x"))}, refused},
		{"any: X-Webhook-Secret", any_, delivery{header: head("X-Webhook-Secret", older)}, early},
		{"any: another header", any_, delivery{header: head("X-Secret", secret)}, refused},
		{"any: wrong", any_, delivery{header: head("Authorization", "Bearer wrong")}, refused},
		{"any: blank bearer", any_, delivery{header: head("Authorization", "Bearer ")}, refused},
		{"any: blank password", any_, delivery{header: head("Authorization", userAndPassword("zot", ""))}, refused},
		{"any: header twice", any_, delivery{header: head("Authorization", secret, "Authorization", "other")}, refused},
		{"path", inPath, delivery{path: path}, early},
		{"path: none", inPath, delivery{header: head("Authorization", secret)}, refused},
		{"path: wrong", inPath, delivery{path: "/wrong"}, refused},
		{"header", header, delivery{header: head("Authorization", older)}, early},
		{"header: nothing else", header, delivery{path: path, header: head("X-Webhook-Secret", secret)}, refused},
		{"header: not as bearer", header, delivery{header: head("Authorization", "Bearer "+secret)}, refused},
		{"header: named", named, delivery{header: head("X-JFrog-Event-Auth", secret)}, early},
		{"header: named, other sent", named, delivery{header: head("Authorization", secret)}, refused},
		{"header: named, a signature", named, delivery{header: head("X-JFrog-Event-Auth", jsonSHA256), body: jsonBody}, refused},
		{"basic", basic, delivery{header: head("Authorization", userAndPassword("harbor", secret))}, early},
		{"basic: previous secret", basic, delivery{header: head("Authorization", userAndPassword("harbor", older))}, early},
		{"basic: other user", basic, delivery{header: head("Authorization", userAndPassword("Harbor", secret))}, refused},
		{"basic: wrong password", basic, delivery{header: head("Authorization", userAndPassword("harbor", "x"))}, refused},
		{"basic: bearer", basic, delivery{header: head("Authorization", "Bearer "+secret)}, refused},
		{"basic: no base64", basic, delivery{header: head("Authorization", "Basic "+secret)}, refused},
		{"basic: any user", anyone, delivery{header: head("Authorization", userAndPassword("", secret))}, early},
		{"bearer", bearer, delivery{header: head("Authorization", "Bearer "+secret)}, early},
		{"bearer: raw", bearer, delivery{header: head("Authorization", secret)}, refused},
		{"bearer: path", bearer, delivery{path: path}, refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := deliver(t, guard(t, registry(config.JFrog, tt.auth), Options{}), tt.d); got != tt.want {
				t.Errorf("answered %d, want %d", got, tt.want)
			}
		})
	}
}

// A secret that is not there must not let in those who send nothing.
func TestBlankSecretsAdmitNobody(t *testing.T) {
	o := Options{Secrets: []config.Secret{{}, config.NewSecret(older)}}
	for _, auth := range config.WebhookAuthTypes() {
		switch auth {
		case config.JWTAuth, config.SNSAuth, config.MTLSAuth:
			continue
		default:
		}
		r := registry(config.JFrog, config.WebhookAuth{Type: auth})
		if _, err := New(r, Options{Secrets: []config.Secret{{}}}); err == nil {
			t.Errorf("%s: a guard without a secret", auth)
		}
		for _, h := range []http.Header{head("Authorization", ""), head("Authorization", "Bearer"), head("Authorization", userAndPassword("", "")), head("X-JFrog-Event-Auth", "")} {
			if got := deliver(t, guard(t, r, o), delivery{header: h}); got != refused {
				t.Errorf("%s: answered %d to %v", auth, got, h)
			}
		}
	}
}

func TestZeroGuardRefuses(t *testing.T) {
	var g Guard
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/r", http.NoBody)
	if g.Early(req, "x") != Refused || g.Body(req, nil) == nil {
		t.Error("admitted")
	}
}

// A proof that stands in the head is not made good by a body.
func TestBodyProvesNothingByItself(t *testing.T) {
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/r", http.NoBody)
	req.Header = head("Authorization", "Bearer "+secret)
	for _, auth := range []config.WebhookAuthType{config.AnyAuth, config.PathAuth, config.BearerAuth, config.HMACAuth} {
		if guard(t, registry(config.GHCR, config.WebhookAuth{Type: auth}), Options{}).Body(req, []byte(secret)) == nil {
			t.Errorf("type %q: admitted", auth)
		}
	}
}

func TestNewRefusesWhatComparesWithNothing(t *testing.T) {
	subjects := []string{"a"}
	for name, a := range map[string]config.WebhookAuth{
		"unknown type":       {Type: "magic"},
		"no subjects":        {Type: config.MTLSAuth},
		"blank subject":      {Type: config.MTLSAuth, Subjects: []string{""}},
		"no accounts":        {Type: config.JWTAuth, Issuer: "https://i", Audience: "a"},
		"no audience":        {Type: config.JWTAuth, Issuer: "https://i", Subjects: subjects},
		"no issuer":          {Type: config.JWTAuth, Audience: "a", Subjects: subjects},
		"issuer without TLS": {Type: config.JWTAuth, Issuer: "http://i", Audience: "a", Subjects: subjects},
		"issuer with user":   {Type: config.JWTAuth, Issuer: "https://u:p@i", Audience: "a", Subjects: subjects},
		"keys but no folder": {Type: config.JWTAuth, Issuer: "https://i", Audience: "a", Subjects: subjects, Keys: "k"},
		"no topics":          {Type: config.SNSAuth},
		"a queue":            {Type: config.SNSAuth, Topics: []string{"arn:aws:sqs:eu-west-1:123456789012:q"}},
		"a leading region":   {Type: config.SNSAuth, Topics: []string{"arn:aws:sns:evil.example/:123456789012:t"}},
		"a bucket's host":    {Type: config.SNSAuth, Topics: []string{"arn:aws:sns:s3-us-west-2:123456789012:t"}},
		"a line more":        {Type: config.SNSAuth, Topics: []string{"arn:aws:sns:eu-west-1:123456789012:t\nType"}},
	} {
		if _, err := New(registry(config.ECR, a), Options{Secrets: both()}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
