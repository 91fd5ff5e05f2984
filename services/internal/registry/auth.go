package registry

import (
	"encoding/json"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// authenticator turns a credential into what the registry's login takes.
// Nothing is sent yet.
func authenticator(c *Client, cfg config.Registry, cred config.Resolved) (authn.Authenticator, error) {
	switch cred.Type {
	case "", config.NoCredential:
		return authn.Anonymous, nil
	case config.BasicCredential, config.HubCredential:
		return &authn.Basic{Username: cred.Username, Password: cred.Password.Reveal()}, nil
	case config.TokenCredential:
		return tokenLogin(cfg, cred), nil
	case config.AWSCredential:
		return newECRLogin(c, cfg, cred)
	case config.AzureCredential:
		return newAzureLogin(c, cfg, cred)
	case config.GCPCredential:
		return newGoogleLogin(c.guard, cfg, cred)
	case config.DockerConfigFile:
		return fromDockerConfig(cred.Config.Reveal(), cfg.Host())
	default:
		return nil, fmt.Errorf("%w: credential type %s", ErrUnsupported, cred.Type)
	}
}

// quayTokenName is the user name under which Quay takes an OAuth token as a
// password: https://docs.redhat.com/en/documentation/red_hat_quay/3/html/red_hat_quay_api_guide/
const quayTokenName = "$oauthtoken"

func tokenLogin(cfg config.Registry, cred config.Resolved) authn.Authenticator {
	user := cred.Username
	if user == "" && cfg.Kind() == config.Quay {
		user = quayTokenName
	}
	if user == "" {
		return &authn.Bearer{Token: cred.Token.Reveal()}
	}
	return &authn.Basic{Username: user, Password: cred.Token.Reveal()}
}

// fromDockerConfig finds a host's entry in a docker config.json, whose format
// is that of https://github.com/docker/cli/blob/master/cli/config/configfile/file.go.
// Helpers are not run: a configuration file must not name programs to start.
func fromDockerConfig(file, host string) (authn.Authenticator, error) {
	var cfg struct {
		Auths       map[string]json.RawMessage `json:"auths"`
		CredHelpers map[string]string          `json:"credHelpers"`
		CredsStore  string                     `json:"credsStore"`
	}
	if err := json.Unmarshal([]byte(file), &cfg); err != nil {
		return nil, fmt.Errorf("%w: docker config is not JSON", ErrInvalid)
	}
	keys := []string{host, "https://" + host, "http://" + host, "https://" + host + "/v2/"}
	if host == config.HubHost {
		keys = append(keys, authn.DefaultAuthKey, "index.docker.io", "registry-1.docker.io")
	}
	for _, key := range keys {
		if raw, ok := cfg.Auths[key]; ok && string(raw) != "{}" {
			return fromDockerEntry(raw, key)
		}
	}
	for _, key := range keys {
		if helper := cfg.CredHelpers[key]; helper != "" {
			return nil, helped(host, "credHelpers", helper)
		}
	}
	if cfg.CredsStore != "" {
		return nil, helped(host, "credsStore", cfg.CredsStore)
	}
	return nil, fmt.Errorf("%w: docker config has no entry for %s in auths", ErrInvalid, host)
}

func fromDockerEntry(raw json.RawMessage, key string) (authn.Authenticator, error) {
	var auth authn.AuthConfig
	if err := json.Unmarshal(raw, &auth); err != nil { // its message could quote the secret
		return nil, fmt.Errorf("%w: docker config: the entry %s in auths is not base64(username:password)", ErrInvalid, cut(key))
	}
	return authn.FromConfig(auth), nil
}

func helped(host, field, helper string) error {
	return fmt.Errorf("%w: docker config leaves %s to the program %q (%s), and programs are not run: use a credential of type aws, gcp, azure or basic",
		ErrUnsupported, host, cut(helper), field)
}
