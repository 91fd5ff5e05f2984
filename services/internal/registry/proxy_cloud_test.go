package registry

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// The hosts of the clouds, as their documentation names them. See aws_test.go,
// google_test.go and azure_test.go for the exchanges and where they are
// documented; here it is which way they go.
const (
	ecrRegistry = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
	ecrService  = "api.ecr.eu-central-1.amazonaws.com"
	stsService  = "sts.eu-central-1.amazonaws.com"
	garRegistry = "europe-docker.pkg.dev"
	garService  = "artifactregistry.googleapis.com"
	garTokens   = "oauth2.googleapis.com"
	acrRegistry = "acme.azurecr.io"
	entraTokens = "login.microsoftonline.com"
)

// clouds answers for all of them.
func clouds(w http.ResponseWriter, r *http.Request) {
	switch r.Host {
	case stsService:
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>`+
			`<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration>`+
			`</Credentials></AssumeRoleResult></AssumeRoleResponse>`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	case ecrService:
		_, _ = fmt.Fprintf(w, `{"authorizationData":[{"authorizationToken":%q,"expiresAt":%d}],"repositories":[{"repositoryName":"a"}]}`,
			base64.StdEncoding.EncodeToString([]byte("AWS:granted")), time.Now().Add(12*time.Hour).Unix())
	case garTokens:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"granted","expires_in":3600,"token_type":"Bearer"}`)
	case entraTokens:
		_, _ = io.WriteString(w, `{"access_token":"aad","expires_in":3599}`)
	case ecrRegistry, garRegistry:
		if _, p, _ := r.BasicAuth(); p != "granted" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	case garService:
		_, _ = io.WriteString(w, `{"packages":[],"dockerImages":[]}`)
	case acrRegistry:
		switch {
		case r.URL.Path == "/oauth2/exchange":
			_, _ = io.WriteString(w, `{"refresh_token":"e30.e30.x"}`)
		case r.URL.Path == "/oauth2/token":
			_, _ = io.WriteString(w, `{"access_token":"granted"}`)
		case r.Header.Get("Authorization") != "Bearer granted":
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+acrRegistry+`/oauth2/token",service="`+acrRegistry+`"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/acr/v1/_catalog":
			_, _ = io.WriteString(w, `{"repositories":["a"]}`)
		}
	}
}

// TestCloudsByProxy exchanges each cloud's credential with its real hosts' names,
// which a proxy alone knows the way to.
func TestCloudsByProxy(t *testing.T) {
	for name, tt := range map[string]struct {
		registry config.Registry
		cred     config.Resolved
		pattern  string
		want     []string // hosts
	}{
		"aws": {
			config.Registry{Type: config.ECR, Address: ecrRegistry},
			config.Resolved{Type: config.AWSCredential, AccessKeyID: "AKID", SecretAccessKey: config.NewSecret(secret), Role: "arn:aws:iam::123456789012:role/reader"},
			"",
			[]string{ecrRegistry, ecrService, stsService},
		},
		"gcp": {
			config.Registry{Type: config.GAR, Address: garRegistry},
			gcp(keyFile(t, "https://"+garTokens+"/token")),
			"proj/repo/*",
			[]string{garService, garRegistry, garTokens},
		},
		"azure": {
			config.Registry{Type: config.ACR, Address: acrRegistry},
			config.Resolved{Type: config.AzureCredential, Username: "client", Password: config.NewSecret(secret), Tenant: "contoso.example"},
			"",
			[]string{acrRegistry, entraTokens},
		},
	} {
		for _, from := range []string{"registry", "environment"} {
			t.Run(name+" of the "+from, func(t *testing.T) {
				noEnvironment(t)
				for _, v := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
					t.Setenv(v, filepath.Join(t.TempDir(), "none"))
				}
				t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
				p := &connectProxy{}
				proxy, ca := p.start(t, http.HandlerFunc(clouds), tt.want...)
				cfg := tt.registry
				cfg.Name, cfg.TLS.CA = "test", ca
				if from == "registry" {
					cfg.Proxy = proxy.String()
				} else {
					t.Setenv("HTTPS_PROXY", proxy.String())
				}
				tt.cred.Name = "reader"
				c, err := New(cfg, tt.cred, Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(c.Close)
				if err := c.Ping(t.Context()); err != nil {
					t.Fatal(err)
				}
				var patterns []string
				if tt.pattern != "" {
					patterns = []string{tt.pattern}
				}
				if _, _, err := c.Catalog(t.Context(), patterns, "", 0); err != nil {
					t.Fatal(err)
				}
				var want []string
				for _, h := range tt.want {
					want = append(want, h+":443")
				}
				if diff := cmp.Diff(want, p.asked()); diff != "" {
					t.Errorf("the proxy was asked for (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A proxy that is in the way of an exchange is named, not the exchange's host
// alone.
func TestCloudsProxyErrors(t *testing.T) {
	noEnvironment(t)
	for _, v := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(v, filepath.Join(t.TempDir(), "none"))
	}
	p := &connectProxy{login: proxyLogin}
	proxy, _ := p.start(t, http.HandlerFunc(clouds), stsService)
	for name, tt := range map[string]struct {
		registry config.Registry
		cred     config.Resolved
	}{
		"assumed role": {
			config.Registry{Type: config.ECR, Address: ecrRegistry},
			config.Resolved{Type: config.AWSCredential, AccessKeyID: "AKID", SecretAccessKey: config.NewSecret(secret), Role: "arn:aws:iam::123456789012:role/reader"},
		},
		"service account": {config.Registry{Type: config.GAR, Address: garRegistry}, gcp(keyFile(t, "https://"+garTokens+"/token"))},
	} {
		cfg := tt.registry
		cfg.Name, cfg.Proxy = "test", proxy.String()
		tt.cred.Name = "reader"
		c, err := New(cfg, tt.cred, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		_, err = authn.Authorization(t.Context(), c.auth)
		if err == nil || !strings.Contains(err.Error(), "the proxy http://"+proxy.Host) || !strings.Contains(err.Error(), "407") || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v, want an error that names the proxy", name, err)
		}
	}
}
