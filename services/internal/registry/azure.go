package registry

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

const (
	acrAudience = "https://containerregistry.azure.net"
	acrEarly    = 30 * time.Minute // of three hours
	acrUnknown  = time.Hour        // where a refresh token does not say how long it holds
)

// acrHost is a registry of Azure's; the group is the cloud it is in.
var acrHost = regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+)*\.azurecr\.(io|cn|us)$`)

// authorities are the token services of the clouds:
// https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
func authority(cloud string) string {
	switch cloud {
	case "cn":
		return "https://login.partner.microsoftonline.cn"
	case "us":
		return "https://login.microsoftonline.us"
	default:
		return "https://login.microsoftonline.com"
	}
}

// azureLogin logs in at Azure's registry with what Entra says who asks is:
// Entra's token is exchanged for one of the registry, which gives one for each
// scope: https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md
type azureLogin struct {
	cred     config.Resolved
	host     string
	entra    *api // nil: the machine's identity needs none
	registry *api
}

// newAzureLogin takes a client secret without a tenant as a password, which
// the registry does, too. Entra's tokens are good at every registry of the
// directory: they go to Azure's only.
func newAzureLogin(c *Client, cfg config.Registry, cred config.Resolved) (authn.Authenticator, error) {
	if cred.Tenant == "" && !cred.Password.IsZero() {
		// https://learn.microsoft.com/azure/container-registry/container-registry-auth-service-principal
		return &authn.Basic{Username: cred.Username, Password: cred.Password.Reveal()}, nil
	}
	m := acrHost.FindStringSubmatch(cfg.Host())
	here := config.IsLoopback(cfg.Host())
	if m == nil && !here {
		return nil, fmt.Errorf("%w: %s is no registry of Azure's: its identity goes to NAME.azurecr.io only", ErrInvalid, cfg.Host())
	}
	cloud := ""
	if m != nil {
		cloud = m[1]
	}
	at, err := url.Parse(cmp.Or(os.Getenv("AZURE_AUTHORITY_HOST"), authority(cloud)))
	if err != nil || at.User != nil || at.Scheme != "https" && (!here || !config.IsLoopback(at.Host)) {
		return nil, fmt.Errorf("%w: AZURE_AUTHORITY_HOST is not an https address", ErrInvalid)
	}
	l := &azureLogin{cred: cred, host: cfg.Host(), registry: newAPI(c, c.base, nil), entra: newAPI(c, at.Scheme+"://"+at.Host, nil)}
	l.entra.explain = explainEntra
	return newRenewing(acrEarly, l.login).of(cred.Name), nil
}

func (l *azureLogin) login(ctx context.Context) (authn.AuthConfig, time.Time, error) {
	token, tenant, err := l.identity(ctx)
	if err != nil {
		return authn.AuthConfig{}, time.Time{}, err
	}
	form := url.Values{"grant_type": {"access_token"}, "service": {l.host}, "access_token": {token.Token}}
	if tenant != "" {
		form.Set("tenant", tenant)
	}
	var answer struct {
		Token string `json:"refresh_token"`
	}
	if err := post(ctx, l.registry, target{op: "exchange Entra's token"}, "/oauth2/exchange", form, &answer); err != nil {
		return authn.AuthConfig{}, time.Time{}, err
	}
	if answer.Token == "" {
		return authn.AuthConfig{}, time.Time{}, fmt.Errorf("%w: the registry gave no token for Entra's", ErrInvalid)
	}
	return authn.AuthConfig{IdentityToken: answer.Token}, expiry(answer.Token, time.Now()), nil
}

// identity is Entra's token of who asks: of the credential, of the pod's
// workload identity, or of the machine.
func (l *azureLogin) identity(ctx context.Context) (token accessToken, tenant string, err error) {
	file := os.Getenv("AZURE_FEDERATED_TOKEN_FILE")
	switch {
	case !l.cred.Password.IsZero():
		token, err = l.grant(ctx, l.cred.Tenant, l.cred.Username, url.Values{"client_secret": {l.cred.Password.Reveal()}})
		return token, l.cred.Tenant, err
	case !l.cred.Token.IsZero():
		token, err = l.grant(ctx, l.cred.Tenant, l.cred.Username, asserted(l.cred.Token.Reveal()))
		return token, l.cred.Tenant, err
	case file != "":
		// https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html
		assertion, err := readFile(file) // it is replaced within the hour
		if err != nil {
			return token, "", fmt.Errorf("%w: the federated token in AZURE_FEDERATED_TOKEN_FILE cannot be read: %w", ErrUnauthorized, err)
		}
		tenant = os.Getenv("AZURE_TENANT_ID")
		client := cmp.Or(l.cred.Username, os.Getenv("AZURE_CLIENT_ID"))
		if tenant == "" || client == "" {
			return token, "", fmt.Errorf("%w: AZURE_FEDERATED_TOKEN_FILE is set, AZURE_TENANT_ID or AZURE_CLIENT_ID is not", ErrInvalid)
		}
		token, err = l.grant(ctx, tenant, client, asserted(strings.TrimSpace(string(assertion))))
		return token, tenant, err
	}
	token, err = azureMachine(ctx, l.cred.Username)
	return token, "", err
}

func asserted(token string) url.Values {
	return url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {token},
	}
}

// grant asks Entra for a token:
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
func (l *azureLogin) grant(ctx context.Context, tenant, client string, proof url.Values) (accessToken, error) {
	proof.Set("grant_type", "client_credentials")
	proof.Set("client_id", client)
	proof.Set("scope", acrAudience+"/.default")
	var token accessToken
	err := post(ctx, l.entra, target{op: "log in at Entra"}, "/"+url.PathEscape(tenant)+"/oauth2/v2.0/token", proof, &token)
	if err == nil && token.Token == "" {
		err = fmt.Errorf("%w: Entra gave no token", ErrInvalid)
	}
	return token, err
}

func post(ctx context.Context, a *api, t target, path string, form url.Values, answer any) error {
	_, err := a.call(ctx, t, question{
		method: http.MethodPost, path: path, body: []byte(form.Encode()),
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
	}, answer)
	return err
}

// explainEntra reads why a token was refused. Its sentences quote ids:
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func explainEntra(status int, raw []byte) error {
	var answer struct {
		Codes []int `json:"error_codes"`
	}
	err := json.Unmarshal(raw, &answer)
	if err != nil || status >= http.StatusInternalServerError || len(answer.Codes) == 0 {
		return nil //nolint:nilerr // then its status is all it says
	}
	said := fmt.Sprintf("Entra refused it: AADSTS%d", answer.Codes[0])
	if why := aadsts(answer.Codes[0]); why != "" {
		said += ", " + why
	}
	return fmt.Errorf("%w: %s", ErrUnauthorized, said)
}

func aadsts(code int) string {
	switch code {
	case 7000215:
		return "the client secret is wrong"
	case 7000222:
		return "the client secret has expired"
	case 700016:
		return "the client id is not known in the directory"
	case 90002:
		return "the directory is not known"
	case 700024:
		return "the federated token has expired, or does not hold yet"
	case 700211, 700212, 700213:
		return "no federated credential of the client fits the token"
	default:
		return ""
	}
}

// expiry reads when a token ends. It is the registry's own: nothing but the
// time of the next one follows from it.
func expiry(jwt string, now time.Time) time.Time {
	_, rest, _ := strings.Cut(jwt, ".")
	payload, _, _ := strings.Cut(rest, ".")
	var claims struct {
		Ends float64 `json:"exp"` // seconds
	}
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(raw, &claims) != nil || claims.Ends <= 0 || claims.Ends > 1<<40 {
		return now.Add(acrUnknown)
	}
	return time.Unix(int64(claims.Ends), 0)
}
