package hook

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	base   = "https://hooks.example.com"
	secret = "quite-secret"
)

// setupOf is the setup of a registry whose senders' secret is s.
func setupOf(t *testing.T, base string, r config.Registry, s string) Setup {
	t.Helper()
	address, err := URL(base, r.Name, config.NewSecret(s))
	if err != nil {
		t.Fatal(err)
	}
	setup, err := NewSetup(r, address)
	if err != nil {
		t.Fatal(err)
	}
	return setup
}

// example is a registry of a type, where such usually is.
func example(kind config.RegistryType) config.Registry {
	r := config.Registry{Name: "hub", Type: kind, Address: "registry.example.com"}
	switch kind {
	case config.DockerHub:
		r.Address = ""
	case config.Quay:
		r.Address = "quay.io"
	case config.ACR:
		r.Address = "acme.azurecr.io"
	case config.ECR:
		r.Address = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
	case config.GAR:
		r.Address = "europe-docker.pkg.dev"
	case config.GCR:
		r.Address = "gcr.io"
	case config.GHCR:
		r.Address = "ghcr.io"
	case config.Generic:
		r.Webhook.Mapping = &config.WebhookMapping{Events: "$.items[*]", Repository: "$.repo", Tag: "$.tag"}
	default:
	}
	return r
}

// The golden files hold what users are told, for each type.
func TestSetup(t *testing.T) {
	for _, kind := range config.RegistryTypes() {
		t.Run(string(kind), func(t *testing.T) { goldenSetup(t, string(kind), example(kind)) })
	}
}

// What proves the sender is configured.
func TestSetupOfConfiguredAuthentication(t *testing.T) {
	jwt := config.WebhookAuth{Type: config.JWTAuth, Issuer: "https://issuer.example", Audience: "landwaiter", Subjects: []string{"sender@acme.example"}}
	zot := example(config.Zot)
	zot.Webhook.NATS = &config.WebhookNATS{URL: "nats://nats.example:4222", Subject: "zot.events"}
	for name, r := range map[string]config.Registry{
		"oci-header":    with(config.OCI, config.WebhookAuth{Type: config.HeaderAuth, Header: "X-Proof"}),
		"gitlab-bearer": with(config.GitLab, config.WebhookAuth{Type: config.BearerAuth}),
		"harbor-header": with(config.Harbor, config.WebhookAuth{Type: config.HeaderAuth}),
		"zot-basic":     with(config.Zot, config.WebhookAuth{Type: config.BasicAuth, Username: "zot"}),
		"zot-nats":      zot,
		"ghcr-path":     with(config.GHCR, config.WebhookAuth{Type: config.PathAuth}),
		"gitea-hmac":    with(config.Gitea, config.WebhookAuth{Type: config.HMACAuth}),
		"gar-jwt":       with(config.GAR, jwt),
		"acr-jwt":       with(config.ACR, jwt),
		"acr-header":    with(config.ACR, config.WebhookAuth{Type: config.HeaderAuth}),
		"ecr-header":    with(config.ECR, config.WebhookAuth{Type: config.HeaderAuth}),
		"ecr-sns":       with(config.ECR, config.WebhookAuth{Type: config.SNSAuth, Topics: []string{"arn:aws:sns:eu-west-1:123456789012:pushes"}}),
		"quay-mtls":     with(config.Quay, config.WebhookAuth{Type: config.MTLSAuth, Subjects: []string{"quay.example"}}),
		"generic-hmac":  with(config.Generic, config.WebhookAuth{Type: config.HMACAuth}),
	} {
		t.Run(name, func(t *testing.T) { goldenSetup(t, name, r) })
	}
}

func with(kind config.RegistryType, a config.WebhookAuth) config.Registry {
	r := example(kind)
	r.Webhook.Auth = a
	return r
}

func goldenSetup(t *testing.T, name string, r config.Registry) {
	t.Helper()
	s := setupOf(t, base, r, secret)
	readable(t, s)
	if s.Signing != nil && strings.Contains(s.Lines.Text, secret) {
		t.Error("the text of a sender that signs holds the secret")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s (%s)\n\n%s\n", s.URL, s.Lines.Where, s.Lines.Format, s.Lines.Text)
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		fmt.Fprintf(&b, "header %s: %s\n", name, s.Headers[name])
	}
	if s.Signing != nil {
		fmt.Fprintf(&b, "signed %+v\n", *s.Signing)
	}
	for _, n := range s.Notes {
		b.WriteString("note: " + n + "\n")
	}
	path := filepath.Join("testdata", "setup", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// readable reads the text as the registry or a shell would.
func readable(t *testing.T, s Setup) {
	t.Helper()
	var value map[string]any
	var err error
	switch s.Lines.Format {
	case YAML:
		err = yaml.Unmarshal([]byte(s.Lines.Text), &value)
	case JSON:
		err = json.Unmarshal([]byte(s.Lines.Text), &value)
	case Shell:
		for _, a := range arguments(t, s.Lines.Text) {
			if strings.HasPrefix(a, "{") {
				if err = json.Unmarshal([]byte(a), &value); err != nil {
					t.Errorf("argument %s", a)
				}
			}
		}
	case Ruby, Text:
	}
	if err != nil {
		t.Errorf("%s: %v:\n%s", s.Lines.Format, err, s.Lines.Text)
	}
	if strings.Contains(s.Lines.Where+s.Lines.Text, "<no value>") {
		t.Errorf("not all is filled in:\n%s", s.Lines.Text)
	}
}

// arguments lets a shell run the text without the commands it calls, and
// returns what they would have been given.
func arguments(t *testing.T, text string) []string {
	t.Helper()
	var stubs strings.Builder
	for _, name := range []string{"curl", "gh", "az", "aws", "gcloud"} {
		stubs.WriteString(name + "() { for a; do printf '%s\\0' \"$a\" >&3; done; }\n")
	}
	out := filepath.Join(t.TempDir(), "arguments")
	script := "set -eu\nexec 3>'" + out + "'\n" + stubs.String() + text
	if said, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput(); err != nil || len(said) > 0 {
		t.Fatalf("sh: %v %s\n%s", err, said, text)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00")
}

// A secret of an operator's own choice does not break the lines it stands in.
func TestSetupQuotes(t *testing.T) {
	const odd = `a'b"c\d$(e)#{f} &`
	for _, kind := range config.RegistryTypes() {
		r := with(kind, config.WebhookAuth{Type: config.HeaderAuth})
		s := setupOf(t, base, r, odd)
		readable(t, s)
		if s.Headers["Authorization"] != odd || strings.Contains(s.URL, "a%27b") {
			t.Errorf("%s: header %q, url %s", kind, s.Headers, s.URL)
		}
		if s.Lines.Format != Shell || !strings.Contains(s.Lines.Text, "a'") {
			continue
		}
		given := false
		for _, a := range arguments(t, s.Lines.Text) {
			raw, err := inJSON(odd)
			if err != nil {
				t.Fatal(err)
			}
			given = given || strings.Contains(a, odd) || strings.Contains(a, raw)
		}
		if !given {
			t.Errorf("%s: nobody is given the secret:\n%s", kind, s.Lines.Text)
		}
	}
}

func TestNotes(t *testing.T) {
	const public, local = "set LANDWAITER_PUBLIC_INGEST", "http://127.0.0.1:8081"
	for _, tt := range []struct {
		name, base string
		registry   config.Registry
		want       []string // parts of the notes
	}{
		{"all is well", base, example(config.DockerHub), nil},
		{"hosted, loopback", local, example(config.DockerHub), []string{public, "plain HTTP"}},
		{"hosted, private", "https://10.1.2.3", example(config.Quay), []string{public}},
		{"Quay of one's own, private", "https://10.1.2.3", config.Registry{Name: "q", Type: config.Quay, Address: "quay.local"}, nil},
		{"JFrog's cloud", "https://[fd00::1]:8443", config.Registry{Name: "j", Type: config.JFrog, Address: "acme.jfrog.io"}, []string{public}},
		{"another machine's", local, config.Registry{Name: "r", Address: "registry.local:5000"}, []string{"registry.local:5000"}},
		{"this machine's", local, config.Registry{Name: "r", Address: "localhost:5000"}, nil},
		{"https only", "http://hooks.example.com", example(config.GAR), []string{"https addresses only"}},
		{"cannot send headers", base, with(config.DockerHub, config.WebhookAuth{Type: config.BearerAuth}), []string{"nothing it sends will be taken"}},
		{"cannot send this header", base, with(config.Harbor, config.WebhookAuth{Type: config.HeaderAuth, Header: "X-Proof"}), []string{"nothing it sends"}},
		{"cannot sign", base, with(config.Harbor, config.WebhookAuth{Type: config.HMACAuth}), []string{"nothing it sends"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := setupOf(t, tt.base, tt.registry, secret).Notes
			if len(got) != len(tt.want) {
				t.Fatalf("notes %q, want %d", got, len(tt.want))
			}
			for i, part := range tt.want {
				if !strings.Contains(got[i], part) {
					t.Errorf("note %q lacks %q", got[i], part)
				}
			}
		})
	}
}

func TestSetupOfNoAddress(t *testing.T) {
	for _, address := range []string{"", "https://hooks.example.com/hooks/hub/", "nothing", "https://h/hooks/hub/%zz"} {
		if s, err := NewSetup(config.Registry{Name: "hub"}, address); err == nil {
			t.Errorf("%q: %+v", address, s)
		}
	}
}
