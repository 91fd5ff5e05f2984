package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

func TestWebhookSettings(t *testing.T) {
	doc, err := config.Parse("x.yaml", []byte(`
registries:
  - name: nexus
    type: nexus
    address: nexus.example
    webhook:
      secret: {env: NEW}
      previousSecret: {file: old}
      deliveriesPerSecond: 2.5
      repositories: {docker-hosted: "", docker-team: team}
      auth: {type: hmac}
  - name: any
    type: generic
    address: any.example
    webhook: {mapping: {repository: $.repo, action: $.what, actions: {PUSHED: push}}}
  - name: zot
    type: zot
    address: zot.example
    webhook: {nats: {url: "nats://zot.example:4222", subject: zot.events, stream: ZOT}}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Webhook{
		{
			Secret: config.SecretRef{Env: "NEW"}, PreviousSecret: config.SecretRef{File: "old"}, DeliveriesPerSecond: 2.5,
			Repositories: map[string]string{"docker-hosted": "", "docker-team": "team"}, Auth: config.WebhookAuth{Type: config.HMACAuth},
		},
		{Mapping: &config.WebhookMapping{Repository: "$.repo", Action: "$.what", Actions: map[string]string{"PUSHED": "push"}}},
		{NATS: &config.WebhookNATS{URL: "nats://zot.example:4222", Subject: "zot.events", Stream: "ZOT"}},
	}
	for i, r := range doc.Registries {
		if diff := cmp.Diff(want[i], r.Webhook); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.Name, diff)
		}
	}
}

func TestWebhookMistakes(t *testing.T) {
	for _, tt := range []struct{ kind, webhook, want string }{
		{"oci", "{auth: {type: hmca}}", "webhook.auth.type"},
		{"oci", "{auth: {type: path, topics: [a]}}", "webhook.auth.topics: has no use with this type"},
		{"gar", "{auth: {type: jwt, issuer: 'http://x', audience: a, subjects: [b]}}", "webhook.auth.issuer: is not an https URL"},
		{"gar", "{auth: {type: jwt, issuer: 'https://x'}}", "any token of the issuer would do"},
		{"gar", "{auth: {type: jwt, issuer: 'https://x', audience: a}}", "any account of the issuer would do"},
		{"ecr", "{auth: {type: sns}}", "any topic of anybody would do"},
		{"quay", "{auth: {type: mtls}}", "any certificate of the authority would do"},
		{"oci", "{deliveriesPerSecond: -1}", "is less than 0"},
		{"oci", "{repositories: {a: b}}", "it is for jfrog and nexus"},
		{"nexus", "{repositories: {a: 'host.example:5000/b'}}", "without a host"},
		{"nexus", "{repositories: [a]}", "where keys and values are expected"},
		{"nexus", "{repositories: {a: b, a: c}}", "is given twice"},
		{"generic", "{}", "and type: generic go together"},
		{"oci", "{mapping: {repository: $.x}}", "and type: generic go together"},
		{"oci", "{nats: {url: 'nats://x', subject: y}}", "it is for zot"},
		{"zot", "{nats: {url: 'nats://user:pass@x', subject: y}}", "a secret never stands in a document"},
		{"zot", "{nats: {url: 'http://x', subject: y}}", "is not the URL of a NATS server"},
		{"zot", "{nats: {url: 'nats://x', subject: ''}}", "is not a NATS subject"},
		{"oci", "{secret: plain}", "is not a reference to a secret"},
	} {
		_, err := config.Parse("x.yaml", []byte("registries:\n  - {name: r, type: "+tt.kind+", address: r.example, webhook: "+tt.webhook+"}\n"))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "x.yaml:2") {
			t.Errorf("%s %s: %v, want %q", tt.kind, tt.webhook, err, tt.want)
		}
	}
}
