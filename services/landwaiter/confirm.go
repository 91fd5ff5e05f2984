package landwaiter

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
)

// unconfirmed is the state of a credential that waits for an admin's word.
const unconfirmed = "unconfirmed"

// registryObject is what is read of a registry here.
type registryObject struct {
	Address         string `json:"address"`
	Credential      string `json:"credential"`
	CredentialState string `json:"credentialState"`
}

// where is where the registry's credential goes.
func (r registryObject) where() string {
	return config.Registry{Address: r.Address}.Host()
}

func confirmRegistryCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "confirm NAME", Short: "Let a registry's credential be sent to the address it has now",
		Long: "confirm lets a registry's credential be sent to the address that the registry has\n" +
			"now. A registry that came by the API, with a credential that the configuration file\n" +
			"does not send there, or whose address was changed, is not read until then.",
		Args: exactly(1, "a registry's name"),
	}
	conn := connect(cmd, env)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := conn.client()
		if err != nil {
			return err
		}
		path := "/registries/" + url.PathEscape(args[0])
		var seen registryObject
		version, _, err := c.Versioned(cmd.Context(), client.Question{Path: path}, &seen)
		if err != nil {
			return err
		}
		// What is confirmed is what was read, and is told below.
		q := client.Question{Method: http.MethodPost, Path: path + "/confirm", Header: http.Header{"If-Match": {version}}}
		if _, err := c.Ask(cmd.Context(), q, nil); err != nil {
			return err
		}
		word := "confirmed: its credential " + seen.Credential + " is sent to " + seen.where()
		if seen.CredentialState != unconfirmed {
			word = "was confirmed before: its credential " + seen.Credential + " is sent to " + seen.where()
		}
		_, err = fmt.Fprintf(env.Stdout, "registry %s %s\n", args[0], word)
		return err
	}
	return cmd
}
