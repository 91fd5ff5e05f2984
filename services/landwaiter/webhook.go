package landwaiter

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
)

func webhookCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "webhook REGISTRY", Short: "Print the address a registry is to send its webhooks to",
		Long: "webhook prints the address on standard output: it holds a secret. What to do with it\n" +
			"is told on standard error.",
		Args: exactly(1, "a registry's name"),
	}
	conn := connect(cmd, env)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := conn.client()
		if err != nil {
			return err
		}
		path := "/registries/" + url.PathEscape(args[0])
		var registry struct {
			Type config.RegistryType `json:"type"`
		}
		if _, err := c.Ask(cmd.Context(), client.Question{Path: path}, &registry); err != nil {
			return err
		}
		var hook struct {
			URL     string `json:"url"`
			Enabled bool   `json:"enabled"`
		}
		if _, err := c.Ask(cmd.Context(), client.Question{Path: path + "/webhook"}, &hook); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(env.Stdout, hook.URL); err != nil {
			return err
		}
		if !hook.Enabled {
			env.warn("pushes to this registry start no scans as it is configured (webhook.enabled, defaults.webhooks)")
		}
		_, err = fmt.Fprint(env.Stderr, instructions(registry.Type, hook.URL))
		return err
	}
	return cmd
}

// instructions tell where the address is entered.
func instructions(kind config.RegistryType, address string) string {
	switch kind {
	case "", config.OCI, config.Zot:
		return "\nFor the CNCF Distribution registry add this to its config.yml and restart it:\n\n" +
			"notifications:\n" +
			"  endpoints:\n" +
			"    - name: landwaiter\n" +
			"      url: " + address + "\n" +
			"      timeout: 5s\n" +
			"      threshold: 5\n" +
			"      backoff: 5s\n"
	case config.DockerHub:
		return "\nAt Docker Hub enter it under the repository's Webhooks tab. The address must be\n" +
			"reachable from the internet: see LANDWAITER_PUBLIC_INGEST.\n"
	default:
		return "\nEnter it where the registry keeps its webhooks.\n"
	}
}
