package landwaiter

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
)

func sweepCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "sweep [RULE]", Short: "Sweep a rule's images now, or a registry's",
		Long: "sweep lists what a rule means at its registry and scans what is not known. With\n" +
			"--registry it needs no rule; the other flags then choose what is swept. Patterns\n" +
			"are those of rules: * stands for any text.",
		Args: cobra.MaximumNArgs(1),
	}
	conn := connect(cmd, env)
	var order config.Sweep
	flags := cmd.Flags()
	flags.StringVar(&order.Registry, "registry", "", "`NAME` of the registry to sweep, instead of a rule")
	flags.StringArrayVar(&order.Repositories, "repo", nil, "`PATTERN` of repositories; may be repeated (default all)")
	flags.StringArrayVar(&order.Tags, "tag", nil, "`PATTERN` of tags; may be repeated (default all)")
	within := flags.String("pushed-within", "", "only images pushed within this `TIME`: today, yesterday, 7d, 12h, all (default all; days are of UTC)")
	flags.IntVar(&order.Cap, "cap", 0, "only the newest `N` images of each repository (default all)")
	flags.BoolVar(&order.Force, "force", false, "scan again what is known")
	flags.BoolVar(&order.Refetch, "refetch", false, "as --force, and read the layers again, too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			order.Rule = args[0]
		}
		if (order.Rule == "") == (order.Registry == "") {
			return errors.New("name a rule, or a registry with --registry")
		}
		if *within != "" {
			var err error
			if order.PushedWithin, err = config.ParseWindow(*within); err != nil {
				return fmt.Errorf("--pushed-within: %w", err)
			}
		}
		c, err := conn.client()
		if err != nil {
			return err
		}
		var sweep client.Sweep
		q := client.Question{Method: http.MethodPost, Path: "/sweeps", Body: order}
		if _, err := c.Ask(cmd.Context(), q, &sweep); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(env.Stdout, sweep.ID); err != nil {
			return err
		}
		env.warn("`%s sweeps show %s` shows how far it is", env.Program, sweep.ID)
		return nil
	}
	return cmd
}

func rebuildCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "rebuild", Short: "Rebuild the view in Redis from the state", Args: cobra.NoArgs,
	}
	conn := connect(cmd, env)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := conn.client()
		if err != nil {
			return err
		}
		var done struct {
			Images  int     `json:"images"`
			Seconds float64 `json:"seconds"`
		}
		q := client.Question{Method: http.MethodPost, Path: "/rebuild", Unbounded: true}
		if _, err := c.Ask(cmd.Context(), q, &done); err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "%d images in %.1f s\n", done.Images, done.Seconds)
		return err
	}
	return cmd
}
