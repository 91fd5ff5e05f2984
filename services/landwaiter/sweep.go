package landwaiter

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/printout"
)

func sweepCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "sweep RULE", Short: "Run a rule over its registry's catalog now", Args: exactly(1, "a rule's name"),
	}
	conn := connect(cmd, env)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := conn.client()
		if err != nil {
			return err
		}
		var sweep client.Sweep
		q := client.Question{Method: http.MethodPost, Path: "/sweeps", Body: map[string]string{"rule": args[0]}}
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

func sweepsCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "sweeps", Short: "List sweeps, or show one", Args: cobra.NoArgs}
	conn := connect(cmd, env)
	output := outputFlag(cmd, asTable, asJSON)
	list := func(cmd *cobra.Command, _ []string) error {
		c, err := conn.client()
		if err != nil {
			return err
		}
		var page struct {
			Sweeps []client.Sweep `json:"sweeps"`
		}
		if _, err := c.Ask(cmd.Context(), client.Question{Path: "/sweeps"}, &page); err != nil {
			return err
		}
		if *output == asJSON {
			return writeJSON(env.Stdout, page.Sweeps)
		}
		return sweepTable(page.Sweeps).Write(env.Stdout)
	}
	cmd.RunE = list
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List sweeps, newest first", Args: cobra.NoArgs, RunE: list},
		sweepShowCommand(env, conn),
	)
	// What leads to the pipeline is the same for all of them.
	cmd.PersistentFlags().AddFlagSet(cmd.Flags())
	return cmd
}

func sweepShowCommand(env Env, conn *connection) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one sweep", Args: exactly(1, "a sweep's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := conn.client()
			if err != nil {
				return err
			}
			var sweep any
			if _, err := c.Ask(cmd.Context(), client.Question{Path: "/sweeps/" + url.PathEscape(args[0])}, &sweep); err != nil {
				return err
			}
			return writeJSON(env.Stdout, sweep)
		},
	}
}

func sweepTable(sweeps []client.Sweep) *printout.Table {
	t := &printout.Table{}
	t.Row("SWEEP", "RULE", "REGISTRY", "STATE", "DUE", "REPOSITORIES", "IMAGES", "FINISHED", "FAILED")
	for _, s := range sweeps {
		state := s.State
		if s.Phase != "" {
			state += ", " + s.Phase
		}
		if s.Partial {
			state += ", partial"
		}
		t.Row(s.ID, s.Rule, s.Registry, state, s.DueAt.UTC().Format(time.DateTime), strconv.Itoa(s.Counts.Repositories),
			strconv.Itoa(s.Counts.Images), strconv.Itoa(s.Counts.Finished), strconv.Itoa(s.Counts.Failed))
	}
	return t
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
