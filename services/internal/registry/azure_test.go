package registry

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// azure is Entra, the metadata service of a machine, and a registry, as
// https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md,
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow and
// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
// describe them.
type azure struct {
	t     *testing.T
	entra url.Values // what Entra is to be asked with; nil: it is not to be asked
	refer string     // Entra's refusal
	holds time.Duration
	asked atomic.Int64 // exchanges
}

func (a *azure) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		a.t.Error(err)
	}
	switch r.URL.Path {
	case "/contoso.example/oauth2/v2.0/token":
		if a.refer != "" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, `{"error":"invalid_client","error_description":"AADSTS%[1]s: secret hunter2 of app ...","error_codes":[%[1]s],"trace_id":"x"}`, a.refer)
			return
		}
		if diff := cmp.Diff(a.entra, r.PostForm); diff != "" {
			a.t.Errorf("Entra was asked otherwise: %s", diff)
		}
		_, _ = fmt.Fprint(w, `{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"aad"}`)
	case "/metadata/identity/oauth2/token":
		if q := r.URL.Query(); r.Header.Get("Metadata") != "true" || q.Get("resource") != acrAudience || q.Get("client_id") != "client" {
			a.t.Errorf("the machine was asked with %v", q)
		}
		_, _ = fmt.Fprint(w, `{"access_token":"aad","expires_in":"3599","resource":"x","token_type":"Bearer"}`)
	case "/oauth2/exchange":
		a.asked.Add(1)
		if f := r.PostForm; f.Get("grant_type") != "access_token" || f.Get("service") != r.Host || f.Get("access_token") != "aad" ||
			a.entra != nil && f.Get("tenant") != "contoso.example" {
			a.t.Errorf("the exchange was asked with %v", f)
		}
		_, _ = fmt.Fprintf(w, `{"refresh_token":%q}`, a.refreshToken())
	case "/oauth2/token":
		if f := r.PostForm; f.Get("grant_type") != "refresh_token" || !strings.HasPrefix(f.Get("refresh_token"), "e30.") || f.Get("service") != r.Host {
			a.t.Errorf("the token was asked for with %v", f)
		}
		_, _ = fmt.Fprintf(w, `{"access_token":%q}`, r.PostForm.Get("scope"))
	case "/acr/v1/acme/app/_tags":
		if r.Header.Get("Authorization") == "Bearer repository:acme/app:metadata_read" {
			_, _ = fmt.Fprintf(w, `{"tags":[{"name":"1","digest":%q}]}`, digestA)
			return
		}
		fallthrough
	default:
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%[1]s/oauth2/token",service=%[1]q`, r.Host))
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func (a *azure) refreshToken() string {
	claims := fmt.Sprintf(`{"exp":%d}`, time.Now().Add(a.holds).Unix())
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func entraForm(proof url.Values) url.Values {
	proof.Set("grant_type", "client_credentials")
	proof.Set("client_id", "client")
	proof.Set("scope", "https://containerregistry.azure.net/.default")
	return proof
}

func newAzure(t *testing.T, a *azure, cred config.Resolved) *Client {
	t.Helper()
	a.t = t
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	t.Setenv("AZURE_AUTHORITY_HOST", s.URL+"/")
	t.Setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", s.URL)
	cred.Name, cred.Type = "reader", config.AzureCredential
	c, err := New(config.Registry{Name: "test", Type: config.ACR, Address: s.URL}, cred, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestEntra(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("federated\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	federated := url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {"federated"},
	}
	for name, tt := range map[string]struct {
		cred  config.Resolved
		entra url.Values
		env   map[string]string
	}{
		"client secret": {
			cred:  config.Resolved{Username: "client", Tenant: "contoso.example", Password: config.NewSecret("hunter2")},
			entra: entraForm(url.Values{"client_secret": {"hunter2"}}),
		},
		"federated token": {
			cred:  config.Resolved{Username: "client", Tenant: "contoso.example", Token: config.NewSecret("federated")},
			entra: entraForm(federated),
		},
		// https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html
		"workload identity": {
			entra: entraForm(federated),
			env:   map[string]string{"AZURE_FEDERATED_TOKEN_FILE": file, "AZURE_TENANT_ID": "contoso.example", "AZURE_CLIENT_ID": "client"},
		},
		"managed identity": {cred: config.Resolved{Username: "client"}},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range tt.env {
				t.Setenv(key, value)
			}
			a := &azure{entra: tt.entra, holds: 3 * time.Hour}
			c := newAzure(t, a, tt.cred)
			for range 2 {
				tags, _, err := c.Tags(t.Context(), "acme/app", "", 0)
				if err != nil || len(tags) != 1 || tags[0].Digest != digestA {
					t.Fatalf("got %v, %v", tags, err)
				}
			}
			if n := a.asked.Load(); n != 1 {
				t.Errorf("%d tokens were exchanged, want 1", n)
			}
			a.holds = 29 * time.Minute // it is renewed half an hour before its end
			again := newAzure(t, a, tt.cred)
			for range 2 {
				if _, err := again.auth.(*renewing).AuthorizationContext(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n := a.asked.Load(); n != 3 {
				t.Errorf("%d tokens were exchanged, want one more for each use of what is about to end", n)
			}
		})
	}
}

// A refused identity says whose it is and why, and nothing of the secret.
func TestEntraRefuses(t *testing.T) {
	for code, why := range map[string]string{
		"7000222": "has expired", "7000215": "is wrong", "700016": "not known", "90002": "directory", "700024": "federated token has expired", "1": "AADSTS1",
	} {
		c := newAzure(t, &azure{refer: code}, config.Resolved{Username: "client", Tenant: "contoso.example", Password: config.NewSecret("hunter2")})
		err := c.Ping(t.Context())
		if !errors.Is(err, ErrUnauthorized) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", code, err)
		}
		for _, want := range []string{"credential reader", "AADSTS" + code, why} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, which lacks %q", code, err, want)
			}
		}
	}
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", filepath.Join(t.TempDir(), "none"))
	c := newAzure(t, &azure{}, config.Resolved{})
	if err := c.Ping(t.Context()); !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), "AZURE_FEDERATED_TOKEN_FILE") {
		t.Errorf("a file that is not there: got %v", err)
	}
}

// What a cloud's identity is good for is more than one registry: it goes to
// that cloud's registries alone.
func TestIdentitiesStayAtTheirCloud(t *testing.T) {
	entra := config.Resolved{Type: config.AzureCredential, Username: "client", Tenant: "contoso.example", Password: config.NewSecret("x")}
	for _, tt := range []struct {
		host string
		cred config.Resolved
		want error
	}{
		{"acme.azurecr.io", entra, nil},
		{"acme.westeurope.data.azurecr.io", entra, nil},
		{"acme-x1y2.azurecr.cn", entra, nil},
		{"acme.azurecr.io.evil.com", entra, ErrInvalid},
		{"acmeazurecr.io", entra, ErrInvalid},
		{"registry.example.com", config.Resolved{Type: config.AzureCredential}, ErrInvalid},
		{"eu.gcr.io", config.Resolved{Type: config.GCPCredential}, nil},
		{"europe-west3-docker.pkg.dev", config.Resolved{Type: config.GCPCredential}, nil},
		{"evilgcr.io", config.Resolved{Type: config.GCPCredential}, ErrInvalid},
		{"europe-west3-docker.pkg.dev.evil.com", config.Resolved{Type: config.GCPCredential}, ErrInvalid},
	} {
		c, err := New(config.Registry{Name: "test", Address: tt.host}, tt.cred, Options{})
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s with %s: got %v, want %v", tt.host, tt.cred.Type, err, tt.want)
		}
	}
	t.Setenv("AZURE_AUTHORITY_HOST", "http://login.evil.example")
	if _, err := New(config.Registry{Name: "test", Address: "acme.azurecr.io"}, entra, Options{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("an authority without TLS: got %v", err)
	}
}

// TestGoogleMachine logs in as the machine:
// https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
func TestGoogleMachine(t *testing.T) {
	var tokens atomic.Int64
	holds, status := 3600, http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/computeMetadata/v1/instance/service-accounts/default/token":
			if r.Header.Get("Metadata-Flavor") != "Google" {
				t.Error("the header that keeps browsers out is missing")
			}
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":%d,"token_type":"Bearer"}`, tokens.Add(1), holds)
		default:
			if u, p, _ := r.BasicAuth(); u != "oauth2accesstoken" || p != fmt.Sprintf("token-%d", tokens.Load()) {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
			}
		}
	}))
	t.Cleanup(s.Close)
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(s.URL, "http://"))
	ping := func() error {
		c, err := New(config.Registry{Name: "test", Type: config.GAR, Address: s.URL}, config.Resolved{Name: "reader", Type: config.GCPCredential}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return errors.Join(c.Ping(t.Context()), c.Ping(t.Context()))
	}
	if err := ping(); err != nil || tokens.Load() != 1 {
		t.Errorf("got %v, %d tokens, want 1", err, tokens.Load())
	}
	status = http.StatusNotFound // no identity
	if err := ping(); !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), "credential reader") {
		t.Errorf("no identity: got %v", err)
	}
	t.Setenv("GCE_METADATA_HOST", "127.0.0.1:1")
	if err := ping(); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "metadata service does not answer") {
		t.Errorf("no cloud: got %v", err)
	}
}
