package auth

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Signatures made with Python's hmac module: of the body with the current
// secret and the previous one, and of the same JSON as a form and of nothing.
const (
	jsonBody    = `{"action":"published","name":"wéb"}`
	jsonSHA256  = "af73a846f57fccdbb7a7e28b2bab74bc6054987e0040ad188f84935e2bd6e05d"
	jsonSHA1    = "e717d7759f08f2e5c1c38ec25b6e148ff9054e1b"
	jsonOlder   = "35ab821f2a6f197dfc5ad1a52d1f980715eb4cc6d12bb93d2964a01b4e859ff7"
	formBody    = "payload=%7B%22action%22%3A%22published%22%2C%22name%22%3A%22w%C3%A9b%22%7D"
	formSHA256  = "6075d33511035a51a3385b461db2d92d1c84442cb7f5aca83bf229b6e098b007"
	emptySHA256 = "943d9608a59b0845fd688d45ad2d1859b0075dd24d2ac73b886ff867e263e47a"
)

func TestSignature(t *testing.T) {
	const (
		form   = "application/x-www-form-urlencoded"
		github = "X-Hub-Signature-256"
		gitea  = "X-Gitea-Signature"
		jfrog  = "X-JFrog-Event-Auth"
		nexus  = "X-Nexus-Webhook-Signature"
	)
	query := "?payload=" + url.QueryEscape(jsonBody)
	// JSON to who reads it as such, and a form with a signed payload.
	twofold := `{"action":"evil","x":"&` + formBody + `&"}`
	for _, tt := range []struct {
		name string
		kind config.RegistryType
		d    delivery
		want int
	}{
		{"github", config.GHCR, delivery{header: head(github, "sha256="+jsonSHA256), body: jsonBody}, late},
		{"github: previous secret", config.GHCR, delivery{header: head(github, "sha256="+jsonOlder), body: jsonBody}, late},
		{"github: form, signed as it is", config.GHCR, delivery{header: head(github, "sha256="+formSHA256, "Content-Type", form), body: formBody}, late},
		{"github: form, its payload signed", config.GHCR, delivery{header: head(github, "sha256="+jsonSHA256, "Content-Type", form), body: formBody}, refused},
		{"github: nothing, signed", config.GHCR, delivery{header: head(github, "sha256="+emptySHA256)}, late},
		{"github: other body", config.GHCR, delivery{header: head(github, "sha256="+jsonSHA256), body: jsonBody + " "}, refused},
		{"github: none", config.GHCR, delivery{body: jsonBody}, refused},
		{"github: blank", config.GHCR, delivery{header: head(github, ""), body: jsonBody}, refused},
		{"github: blank after the prefix", config.GHCR, delivery{header: head(github, "sha256="), body: jsonBody}, refused},
		{"github: no prefix", config.GHCR, delivery{header: head(github, jsonSHA256), body: jsonBody}, refused},
		{"github: cut", config.GHCR, delivery{header: head(github, "sha256="+jsonSHA256[:62]), body: jsonBody}, refused},
		{"github: SHA-1", config.GHCR, delivery{header: head("X-Hub-Signature", "sha1="+jsonSHA1), body: jsonBody}, refused},
		{"github: SHA-1 in the other header", config.GHCR, delivery{header: head(github, "sha1="+jsonSHA1), body: jsonBody}, refused},
		{"github: twice", config.GHCR, delivery{header: head(github, "sha256="+jsonSHA256, github, "sha256="+jsonSHA256), body: jsonBody}, refused},
		{"github: gitea's", config.GHCR, delivery{header: head(gitea, jsonSHA256), body: jsonBody}, refused},
		{"gitea", config.Gitea, delivery{header: head(gitea, jsonSHA256), body: jsonBody}, late},
		{"gitea: as forgejo", config.Gitea, delivery{header: head("X-Forgejo-Signature", jsonOlder), body: jsonBody}, late},
		{"gitea: as github", config.Gitea, delivery{header: head(github, "sha256="+jsonSHA256), body: jsonBody}, late},
		{"gitea: one of two is right", config.Gitea, delivery{header: head(gitea, formSHA256, github, "sha256="+jsonSHA256), body: jsonBody}, late},
		{"gitea: no secret there", config.Gitea, delivery{header: head(gitea, "", github, "sha256="), body: jsonBody}, refused},
		{"gitea: form", config.Gitea, delivery{header: head(gitea, jsonSHA256, "Content-Type", form+"; charset=utf-8"), body: formBody}, late},
		{"gitea: form, signed as it is", config.Gitea, delivery{header: head(gitea, formSHA256, "Content-Type", form), body: formBody}, refused},
		{"gitea: form, as github", config.Gitea, delivery{header: head(github, "sha256="+jsonSHA256, "Content-Type", form), body: formBody}, late},
		{"gitea: form with more", config.Gitea, delivery{header: head(gitea, jsonSHA256, "Content-Type", form), body: formBody + "&x=1"}, refused},
		{"gitea: form with two payloads", config.Gitea, delivery{header: head(gitea, jsonSHA256, "Content-Type", form), body: formBody + "&payload=x"}, refused},
		{"gitea: form and JSON in one", config.Gitea, delivery{header: head(gitea, jsonSHA256, "Content-Type", form), body: twofold}, refused},
		{"gitea: a form that says JSON", config.Gitea, delivery{header: head(gitea, jsonSHA256, "Content-Type", "application/json"), body: formBody}, refused},
		{"gitea: GET", config.Gitea, delivery{method: "GET", path: query, header: head(gitea, jsonSHA256)}, late},
		{"gitea: GET with the same body", config.Gitea, delivery{method: "GET", path: query, header: head(gitea, jsonSHA256), body: jsonBody}, late},
		{"gitea: GET with another body", config.Gitea, delivery{method: "GET", path: query, header: head(gitea, jsonSHA256), body: "{}"}, refused},
		{"gitea: GET with two payloads", config.Gitea, delivery{method: "GET", path: query + "&payload=x", header: head(gitea, jsonSHA256)}, refused},
		{"gitea: GET, only a body", config.Gitea, delivery{method: "GET", header: head(gitea, jsonSHA256), body: jsonBody}, refused},
		{"gitea: POST, payload in the address", config.Gitea, delivery{path: query, header: head(gitea, jsonSHA256)}, refused},
		{"oci: from gitea", config.OCI, delivery{header: head(gitea, jsonSHA256), body: jsonBody}, late},
		{"jfrog", config.JFrog, delivery{header: head(jfrog, jsonSHA256), body: jsonBody}, late},
		{"jfrog: the secret itself", config.JFrog, delivery{header: head(jfrog, secret), body: jsonBody}, refused},
		{"nexus", config.Nexus, delivery{header: head(nexus, jsonSHA1), body: jsonBody}, late},
		{"nexus: SHA-256", config.Nexus, delivery{header: head(nexus, jsonSHA256), body: jsonBody}, refused},
		{"nexus: github's", config.Nexus, delivery{header: head(github, "sha256="+jsonSHA256), body: jsonBody}, refused},
		{"others, as github", config.CloudEvents, delivery{header: head(github, "sha256="+jsonSHA256), body: jsonBody}, late},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, auth := range []config.WebhookAuthType{config.HMACAuth, config.AnyAuth} {
				if got := deliver(t, guard(t, registry(tt.kind, config.WebhookAuth{Type: auth}), Options{}), tt.d); got != tt.want {
					t.Errorf("type %q: answered %d, want %d", auth, got, tt.want)
				}
			}
		})
	}
}

func TestSignatureIsTheOnlyProofWhereAskedFor(t *testing.T) {
	g := guard(t, registry(config.GHCR, config.WebhookAuth{Type: config.HMACAuth}), Options{})
	d := delivery{path: "/" + url.PathEscape(secret), header: head("Authorization", "Bearer "+secret), body: jsonBody}
	if got := deliver(t, g, d); got != refused {
		t.Errorf("the secret alone: answered %d", got)
	}
	d.header.Set("X-Hub-Signature-256", "sha256="+jsonSHA256)
	if got := deliver(t, g, d); got != late {
		t.Errorf("signed: answered %d", got)
	}
}

func FuzzSignature(f *testing.F) {
	f.Add("sha256="+jsonSHA256, "sha256=", 32)
	f.Add(strings.ToUpper(jsonSHA1), "", 20)
	f.Add("sha256=", "sha256=", 32)
	f.Fuzz(func(t *testing.T, value, prefix string, size int) {
		mac, ok := parseSignature(value, prefix, size)
		if !ok {
			return
		}
		if len(mac) != size || !strings.EqualFold(prefix+hex.EncodeToString(mac), value) {
			t.Errorf("%q is read as %x", value, mac)
		}
	})
}

// What passes for a form must not pass for anything else.
func FuzzForm(f *testing.F) {
	f.Add(formBody)
	f.Add("payload=%7B%7D&%7B=1")
	f.Add(`{"x":"&payload=1&"}`)
	f.Fuzz(func(t *testing.T, form string) {
		payload, err := payloadOfForm(form)
		if err != nil {
			return
		}
		if json.Valid([]byte(form)) {
			t.Errorf("%q is JSON, too", form)
		}
		if again, err := payloadOfForm("payload=" + url.QueryEscape(string(payload))); err != nil || !bytes.Equal(again, payload) {
			t.Errorf("%q, encoded again: %q, %v", payload, again, err)
		}
	})
}
