package landwaiter

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/internal/hook"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
)

func webhookCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "webhook REGISTRY", Short: "Print the address a registry is to send its webhooks to",
		Long: "webhook prints the address on standard output: it holds a secret, unless the\n" +
			"configuration asks for another proof of the sender. The lines to enter or to paste\n" +
			"at the registry are on standard error.",
		Args: exactly(1, "a registry's name"),
	}
	conn := connect(cmd, env)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := conn.client()
		if err != nil {
			return err
		}
		var webhook struct {
			hook.Setup

			Enabled bool `json:"enabled"`
		}
		question := client.Question{Path: "/registries/" + url.PathEscape(args[0]) + "/webhook"}
		if _, err := c.Ask(cmd.Context(), question, &webhook); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(env.Stdout, webhook.URL); err != nil {
			return err
		}
		if _, err := io.WriteString(env.Stderr, instructions(webhook.Setup)); err != nil {
			return err
		}
		for _, n := range webhook.Notes {
			env.warn("%s", n)
		}
		if !webhook.Enabled {
			env.warn("pushes to this registry start no scans as it is configured (webhook.enabled, defaults.webhooks)")
		}
		return nil
	}
	return cmd
}

// instructions tell what is to be entered where.
func instructions(s hook.Setup) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n\n%s\n", s.Lines.Where, s.Lines.Text)
	switch {
	case s.Signing == nil:
	case s.Signing.Secret != "":
		fmt.Fprintf(&b, "The signing secret (%s, %s): %s\n\n", s.Signing.Header, s.Signing.Algorithm, s.Signing.Secret)
	default:
		fmt.Fprintf(&b, "The signing secret (%s, %s) is what the address above ends in, after its last slash.\n"+
			"That address is for senders that do not sign.\n\n", s.Signing.Header, s.Signing.Algorithm)
	}
	return b.String()
}
