package registry

import (
	"encoding/json"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// authenticator turns a credential into what the registry's login takes.
func authenticator(cred config.Resolved, host string) (authn.Authenticator, error) {
	switch cred.Type {
	case "", config.NoCredential:
		return authn.Anonymous, nil
	case config.BasicCredential, config.HubCredential, config.AzureCredential:
		return &authn.Basic{Username: cred.Username, Password: cred.Password.Reveal()}, nil
	case config.TokenCredential:
		if cred.Username == "" {
			return &authn.Bearer{Token: cred.Token.Reveal()}, nil
		}
		return &authn.Basic{Username: cred.Username, Password: cred.Token.Reveal()}, nil
	case config.GCPCredential:
		return &authn.Basic{Username: "_json_key", Password: cred.Key.Reveal()}, nil
	case config.DockerConfigFile:
		return fromDockerConfig(cred.Config.Reveal(), host)
	default:
		return nil, fmt.Errorf("%w: credential type %s", ErrUnsupported, cred.Type)
	}
}

// fromDockerConfig finds a host's entry in a docker config.json. Helpers are
// not run: a configuration file must not name programs to start.
func fromDockerConfig(file, host string) (authn.Authenticator, error) {
	var cfg struct {
		Auths map[string]authn.AuthConfig `json:"auths"`
	}
	if err := json.Unmarshal([]byte(file), &cfg); err != nil {
		return nil, fmt.Errorf("%w: docker config is not JSON", ErrInvalid)
	}
	keys := []string{host, "https://" + host, "http://" + host, "https://" + host + "/v2/"}
	if host == config.HubHost {
		keys = append(keys, authn.DefaultAuthKey, "index.docker.io", "registry-1.docker.io")
	}
	for _, key := range keys {
		if auth, ok := cfg.Auths[key]; ok {
			return authn.FromConfig(auth), nil
		}
	}
	return nil, fmt.Errorf("%w: docker config has no entry for %s", ErrInvalid, host)
}
