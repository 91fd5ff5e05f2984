package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// metadataHost is where clouds tell a machine who it is. It is asked for a
// credential that says so, and for nothing that a registry names.
const metadataHost = "169.254.169.254"

// accessToken is a token as OAuth servers give it.
type accessToken struct {
	Token string  `json:"access_token"`
	Holds seconds `json:"expires_in"`
}

func (t accessToken) until() time.Time { return time.Now().Add(time.Duration(t.Holds) * time.Second) }

// seconds is a number, which Azure writes as a string.
type seconds int64

// UnmarshalJSON reads both.
func (s *seconds) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseInt(string(bytes.Trim(b, `"`)), 10, 32)
	*s = seconds(n)
	return err
}

// machineToken asks the machine's cloud for a token of the machine's identity.
func machineToken(ctx context.Context, cloud, address string, header http.Header) (accessToken, error) {
	const patience = 5 * time.Second // it is a hop away, or does not exist
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil) //nolint:gosec // the address is this package's, or the environment's
	if err != nil {
		return accessToken{}, fmt.Errorf("%w: the address of %s's metadata is no URL", ErrInvalid, cloud)
	}
	req.Header = header
	var dialer net.Dialer
	client := &http.Client{CheckRedirect: stay, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}} // never through a proxy
	resp, err := client.Do(req)                                                                                                       //nolint:gosec // see above
	if err != nil {
		return accessToken{}, &Unavailable{Reason: "the machine's identity: " + cloud + "'s metadata service does not answer at " + req.URL.Host}
	}
	defer drain(resp)
	raw, err := readAll(resp.Body, resp.ContentLength, maxErrorBody)
	var token accessToken
	switch {
	case err != nil:
		return accessToken{}, &Unavailable{Reason: "the machine's identity: half an answer of " + cloud + "'s metadata service"}
	case resp.StatusCode >= http.StatusInternalServerError, resp.StatusCode == http.StatusTooManyRequests:
		return accessToken{}, &Unavailable{Reason: fmt.Sprintf("the machine's identity: %s's metadata service answers with status %d", cloud, resp.StatusCode)}
	case resp.StatusCode != http.StatusOK:
		return accessToken{}, fmt.Errorf("%w: %s gives the machine no such identity: status %d", ErrUnauthorized, cloud, resp.StatusCode)
	case json.Unmarshal(raw, &token) != nil || token.Token == "":
		return accessToken{}, fmt.Errorf("%w: the answer of %s's metadata service holds no token", ErrInvalid, cloud)
	}
	return token, nil
}

// googleMachine is the identity of a virtual machine or, through GKE's, of a
// pod: https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
func googleMachine(ctx context.Context) (authn.AuthConfig, time.Time, error) {
	address := "http://" + cmp.Or(os.Getenv("GCE_METADATA_HOST"), metadataHost) + "/computeMetadata/v1/instance/service-accounts/default/token"
	token, err := machineToken(ctx, "Google", address, http.Header{"Metadata-Flavor": {"Google"}})
	if err != nil {
		return authn.AuthConfig{}, time.Time{}, err
	}
	return authn.AuthConfig{Username: googleUser, Password: token.Token}, token.until(), nil
}

// azureMachine is a managed identity; client says which of several:
// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
func azureMachine(ctx context.Context, client string) (accessToken, error) {
	query := url.Values{"api-version": {"2018-02-01"}, "resource": {acrAudience}}
	if client != "" {
		query.Set("client_id", client)
	}
	base := cmp.Or(os.Getenv("AZURE_POD_IDENTITY_AUTHORITY_HOST"), "http://"+metadataHost)
	return machineToken(ctx, "Azure", base+"/metadata/identity/oauth2/token?"+query.Encode(), http.Header{"Metadata": {"true"}})
}
