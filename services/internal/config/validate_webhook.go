package config

import (
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/events"
)

func (c *checker) webhook(path string, r Registry) {
	w := r.Webhook
	c.secret(sub(path, "secret"), w.Secret)
	c.secret(sub(path, "previousSecret"), w.PreviousSecret)
	if n := w.DeliveriesPerSecond; n < 0 || math.IsNaN(n) || math.IsInf(n, 0) {
		c.add(sub(path, "deliveriesPerSecond"), "is less than 0", "")
	}
	c.webhookAuth(sub(path, "auth"), w.Auth)
	if len(w.Repositories) > 0 && r.Type != JFrog && r.Type != Nexus {
		c.add(sub(path, "repositories"), "has no use with a registry of type "+short(string(r.Kind())), "it is for jfrog and nexus")
	}
	for name, prefix := range w.Repositories {
		if prefix != "" && !events.ValidRepository(prefix) {
			c.add(sub(path, "repositories."+name), "is not the first part of a repository's path", "as team/docker, without a host")
		}
	}
	if (w.Mapping != nil) != (r.Type == Generic) {
		c.add(sub(path, "mapping"), "and type: generic go together", "")
	}
	if w.Mapping != nil {
		for key, wrong := range w.Mapping.mistakes() {
			c.add(sub(path, "mapping."+key), wrong, "")
		}
	}
	if w.NATS != nil {
		c.webhookNATS(sub(path, "nats"), r.Type, *w.NATS)
	}
}

func (c *checker) webhookAuth(path string, a WebhookAuth) {
	if a.Type != AnyAuth {
		oneOf(c, sub(path, "type"), a.Type, WebhookAuthTypes())
	}
	for _, f := range []struct {
		key   string
		given bool
		of    []WebhookAuthType
	}{
		{"header", a.Header != "", []WebhookAuthType{HeaderAuth}},
		{"username", a.Username != "", []WebhookAuthType{BasicAuth}},
		{"issuer", a.Issuer != "", []WebhookAuthType{JWTAuth}},
		{"audience", a.Audience != "", []WebhookAuthType{JWTAuth}},
		{"keys", a.Keys != "", []WebhookAuthType{JWTAuth}},
		{"subjects", len(a.Subjects) > 0, []WebhookAuthType{JWTAuth, MTLSAuth}},
		{"topics", len(a.Topics) > 0, []WebhookAuthType{SNSAuth}},
	} {
		if f.given && !slices.Contains(f.of, a.Type) {
			c.add(sub(path, f.key), "has no use with this type", "set type: "+string(f.of[0]))
		}
	}
	c.webhookProof(path, a)
}

// webhookProof checks what the types cannot do without: a proof that anybody
// can give is none.
func (c *checker) webhookProof(path string, a WebhookAuth) {
	switch a.Type {
	case JWTAuth:
		u, err := url.Parse(a.Issuer)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			c.add(sub(path, "issuer"), "is not an https URL", "as https://accounts.google.com")
		}
		if a.Audience == "" {
			c.add(sub(path, "audience"), "is missing: any token of the issuer would do", "")
		}
		if len(a.Subjects) == 0 {
			c.add(sub(path, "subjects"), "is missing: any account of the issuer would do", "the sender's service account or application")
		}
	case SNSAuth:
		if len(a.Topics) == 0 {
			c.add(sub(path, "topics"), "is missing: any topic of anybody would do", "as arn:aws:sns:eu-west-1:123456789012:pushes")
		}
	case MTLSAuth:
		if len(a.Subjects) == 0 {
			c.add(sub(path, "subjects"), "is missing: any certificate of the authority would do", "")
		}
	default:
	}
}

func (c *checker) webhookNATS(path string, t RegistryType, n WebhookNATS) {
	if t != Zot {
		c.add(path, "has no use with a registry of type "+short(string(t)), "it is for zot")
	}
	u, err := url.Parse(n.URL)
	switch {
	case err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
		c.add(sub(path, "url"), "is not the URL of a NATS server", "as nats://host:4222")
	case u.User != nil:
		c.add(sub(path, "url"), "holds a user; a secret never stands in a document", "put it into a NATS credentials file")
	}
	if n.Subject == "" || strings.ContainsAny(n.Subject, " \t\r\n") {
		c.add(sub(path, "subject"), "is not a NATS subject", "")
	}
}
