package registry

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// amazon is ECR as its API reference describes it, and a registry that takes
// the passwords it gives.
type amazon struct {
	t      *testing.T
	keys   aws.Credentials // whose signatures are good
	logins atomic.Int64
	holds  time.Duration // passwords
	refuse string        // name of an error for everything
}

func (a *amazon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/v2/") {
		if _, password, _ := r.BasicAuth(); password != fmt.Sprintf("password-%d", a.logins.Load()) {
			w.Header().Set("WWW-Authenticate", `Basic realm="https://ecr"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Error(err)
	}
	if a.refuse == "" && !a.signed(r, body) {
		a.refuse = "InvalidSignatureException"
	}
	if a.refuse != "" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"__type":%q,"message":"a message that quotes AKID"}`, a.refuse)
		return
	}
	a.answer(w, r.Header.Get("X-Amz-Target"), body)
}

// signed makes the signature again.
func (a *amazon) signed(r *http.Request, body []byte) bool {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return false
	}
	again := httptest.NewRequest(r.Method, "http://"+r.Host+"/", strings.NewReader(string(body)))
	for _, name := range []string{"Content-Type", "X-Amz-Target", "Accept"} {
		again.Header.Set(name, r.Header.Get(name))
	}
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(a.t.Context(), a.keys, again, hex.EncodeToString(sum[:]), "ecr", "eu-west-1", at)
	return err == nil && again.Header.Get("Authorization") == r.Header.Get("Authorization") &&
		r.Header.Get("X-Amz-Security-Token") == a.keys.SessionToken
}

func (a *amazon) answer(w http.ResponseWriter, action string, body []byte) {
	var in struct {
		Next       string `json:"nextToken"`
		Repository string `json:"repositoryName"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		a.t.Error(err)
	}
	switch action[strings.LastIndexByte(action, '.')+1:] + " " + in.Repository + in.Next {
	case "GetAuthorizationToken ":
		token := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "AWS:password-%d", a.logins.Add(1)))
		_, _ = fmt.Fprintf(w, `{"authorizationData":[{"authorizationToken":%q,"expiresAt":%.3f,"proxyEndpoint":"https://x"}]}`,
			token, float64(time.Now().Add(a.holds).UnixMilli())/1000)
	case "DescribeRepositories ":
		_, _ = io.WriteString(w, `{"nextToken":"n/+=","repositories":[{"repositoryName":"acme/a"}]}`)
	case "DescribeRepositories n/+=":
		_, _ = io.WriteString(w, `{"repositories":[{"repositoryName":"b"}]}`)
	case "DescribeImages b":
		_, _ = fmt.Fprintf(w, `{"imageDetails":[{"imageDigest":%q,"imageTags":["1","2"],"imagePushedAt":1.772600767123E9}]}`, digestA)
	default:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"RepositoryNotFoundException"}`)
	}
}

// newAmazon makes a client whose ECR is a.
func newAmazon(t *testing.T, a *amazon, cred config.Resolved) *Client {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"),
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	a.t = t
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	cred.Name, cred.Type, cred.Region = "reader", config.AWSCredential, "eu-west-1"
	cfg := config.Registry{Name: "test", Type: config.ECR, Address: strings.TrimPrefix(s.URL, "http://"), Limits: config.Limits{RequestsPerSecond: 10_000}}
	c, err := New(cfg, cred, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.auth.(*ecrLogin).ecr.api.move(s.URL)
	return c
}

func accessKeys() config.Resolved {
	return config.Resolved{AccessKeyID: "AKID", SecretAccessKey: config.NewSecret("secret")}
}

func TestECRLists(t *testing.T) {
	c := newAmazon(t, &amazon{keys: aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, holds: 12 * time.Hour}, accessKeys())
	if got, err := catalogOf(t, c); err != nil || cmp.Diff([]string{"acme/a", "b"}, got) != "" {
		t.Errorf("catalog: got %v, %v", got, err)
	}
	pushed := time.UnixMilli(1772600767123).UTC()
	got, err := tagsOf(t, c, "b")
	if diff := cmp.Diff([]Tag{{"1", digestA, pushed}, {"2", digestA, pushed}}, got); err != nil || diff != "" {
		t.Errorf("tags: %v, %s", err, diff)
	}
	if _, _, err := c.vendor.catalog(t.Context(), scope{}, "no such page", 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// A password is kept, and fetched anew an hour before its end.
func TestECRLogin(t *testing.T) {
	for name, tt := range map[string]struct {
		holds time.Duration
		want  int64
	}{
		"holds": {12 * time.Hour, 1},
		"ends":  {59 * time.Minute, 4}, // of four requests, one asks how to log in
	} {
		t.Run(name, func(t *testing.T) {
			a := &amazon{keys: aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, holds: tt.holds}
			c := newAmazon(t, a, accessKeys())
			for range 4 {
				if err := c.Ping(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := a.logins.Load(); got != tt.want {
				t.Errorf("got %d logins, want %d", got, tt.want)
			}
		})
	}
}

func TestECRRefuses(t *testing.T) {
	for refuse, want := range map[string]error{
		"ExpiredTokenException":                  ErrUnauthorized,
		"UnrecognizedClientException":            ErrUnauthorized,
		"com.amazon.coral#AccessDeniedException": ErrUnauthorized,
		"ThrottlingException":                    ErrUnavailable,
	} {
		c := newAmazon(t, &amazon{refuse: refuse}, accessKeys())
		err := c.Ping(t.Context())
		if !errors.Is(err, want) || strings.Contains(err.Error(), "AKID") || !strings.Contains(err.Error(), refuse[strings.LastIndexByte(refuse, '#')+1:]) {
			t.Errorf("%s: got %v, want %v with its name", refuse, err, want)
		}
	}
}

// session is what STS and a container's role give.
func session() aws.Credentials {
	return aws.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "temporary", SessionToken: "session"}
}

// TestAssumedRole exchanges keys for those of a role:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func TestAssumedRole(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/reader"
	status := http.StatusOK
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Form.Get("Action") != "AssumeRole" || r.Form.Get("RoleArn") != role ||
			!strings.Contains(r.Header.Get("Authorization"), "Credential=AKID/") {
			t.Errorf("got %v, %v", r.Form, err)
		}
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		if status != http.StatusOK {
			_, _ = io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>AKID may not</Message></Error></ErrorResponse>`)
			return
		}
		s := session()
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>`+
			`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>`+
			`</Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			s.AccessKeyID, s.SecretAccessKey, s.SessionToken, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(sts.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	cred := accessKeys()
	cred.Role = role
	if err := newAmazon(t, &amazon{keys: session(), holds: time.Hour * 12}, cred).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	status = http.StatusForbidden
	err := newAmazon(t, &amazon{keys: session()}, cred).Ping(t.Context())
	if !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), role) || strings.Contains(err.Error(), "AKID") {
		t.Errorf("got %v, want ErrUnauthorized with the role", err)
	}
}

// TestMachineRole uses what a container's role gives:
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
func TestMachineRole(t *testing.T) {
	machine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s := session()
		_ = json.NewEncoder(w).Encode(map[string]string{
			"AccessKeyId": s.AccessKeyID, "SecretAccessKey": s.SecretAccessKey, "Token": s.SessionToken,
			"Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		})
	}))
	t.Cleanup(machine.Close)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", machine.URL)
	c := newAmazon(t, &amazon{keys: session(), holds: 12 * time.Hour}, config.Resolved{})
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
	err := newAmazon(t, &amazon{}, config.Resolved{}).Ping(t.Context())
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "machine's role") {
		t.Errorf("no role: got %v", err)
	}
}

func TestECRHosts(t *testing.T) {
	for host, want := range map[string]string{
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com":          "123456789012 https://api.ecr.eu-west-1.amazonaws.com",
		"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com":     "123456789012 https://ecr-fips.us-east-1.amazonaws.com",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn":      "123456789012 https://api.ecr.cn-north-1.amazonaws.com.cn",
		"123456789012.dkr-ecr.eu-west-1.on.aws":                 "123456789012 https://api.ecr.eu-west-1.amazonaws.com",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.com": "",
		"mirror.example.com":                                    "",
	} {
		c, err := New(config.Registry{Name: "test", Type: config.ECR, Address: host}, config.Resolved{Type: config.AWSCredential}, Options{})
		got := ""
		if err == nil {
			e := c.auth.(*ecrLogin).ecr
			got = e.account + " " + e.api.base
			c.Close()
		}
		if got != want {
			t.Errorf("%s: got %q, %v, want %q", host, got, err, want)
		}
	}
}

// A session's keys are good with its token only.
func TestSessionToken(t *testing.T) {
	cred := config.Resolved{AccessKeyID: "ASIA", SecretAccessKey: config.NewSecret("temporary"), SessionToken: config.NewSecret("session")}
	if err := newAmazon(t, &amazon{keys: session(), holds: 12 * time.Hour}, cred).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	cred.SessionToken = config.Secret{}
	if err := newAmazon(t, &amazon{keys: session()}, cred).Ping(t.Context()); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("without its token: got %v", err)
	}
}

// TestWebIdentity exchanges a token that a cluster vouches for us with, given
// by the credential or by the cluster's own variables:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
// https://docs.aws.amazon.com/eks/latest/userguide/pod-configuration.html
func TestWebIdentity(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/reader"
	refusal := ""
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Form.Get("Action") != "AssumeRoleWithWebIdentity" || r.Form.Get("RoleArn") != role ||
			r.Form.Get("WebIdentityToken") != "vouched" || r.Header.Get("Authorization") != "" {
			t.Errorf("got %v, %v", r.Form, err)
		}
		w.Header().Set("Content-Type", "text/xml")
		if refusal != "" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>vouched has expired</Message></Error></ErrorResponse>`, refusal)
			return
		}
		s := session()
		_, _ = fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>`+
			`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>`+
			`</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
			s.AccessKeyID, s.SecretAccessKey, s.SessionToken, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(sts.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("vouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	given := config.Resolved{Role: role, Token: config.NewSecret("vouched")}
	if err := newAmazon(t, &amazon{keys: session(), holds: 12 * time.Hour}, given).Ping(t.Context()); err != nil {
		t.Errorf("of the credential: %v", err)
	}
	refusal = "ExpiredTokenException"
	err := newAmazon(t, &amazon{}, given).Ping(t.Context())
	if !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), refusal) || strings.Contains(err.Error(), "vouched") {
		t.Errorf("an old one: got %v", err)
	}
	refusal = ""
	t.Setenv("AWS_ROLE_ARN", role)
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
	if err := newAmazon(t, &amazon{keys: session(), holds: 12 * time.Hour}, config.Resolved{}).Ping(t.Context()); err != nil {
		t.Errorf("of the cluster: %v", err)
	}
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file+"x")
	err = newAmazon(t, &amazon{}, config.Resolved{}).Ping(t.Context())
	if err == nil || !strings.Contains(err.Error(), "AWS_WEB_IDENTITY_TOKEN_FILE cannot be read") {
		t.Errorf("a file that is not there: got %v", err)
	}
}
