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

func sweepsCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "sweeps", Short: "List, show, cancel, restart and delete sweeps", Args: cobra.NoArgs}
	conn := connect(cmd, env)
	output := outputFlag(cmd, asTable, asJSON)
	list := func(cmd *cobra.Command, _ []string) error {
		if err := checkOutput(*output, asTable, asJSON); err != nil {
			return err
		}
		c, err := conn.client()
		if err != nil {
			return err
		}
		sweeps := []client.Sweep{}
		err = client.Pages(cmd.Context(), c, "/sweeps", url.Values{}, func(page client.Sweeps) string {
			sweeps = append(sweeps, page.Sweeps...)
			return page.NextCursor
		})
		if err != nil {
			return err
		}
		if *output == asJSON {
			return writeJSON(env.Stdout, sweeps)
		}
		return sweepTable(sweeps).Write(env.Stdout)
	}
	cmd.RunE = list
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List sweeps, newest first", Args: cobra.NoArgs, RunE: list},
		sweepShowCommand(env, conn), sweepCancelCommand(env, conn), sweepRestartCommand(env, conn), sweepDeleteCommand(env, conn),
	)
	// What leads to the pipeline is the same for all of them.
	cmd.PersistentFlags().AddFlagSet(cmd.Flags())
	return cmd
}

// ofSweep is a command that asks something of one sweep.
func ofSweep(use, short string, do func(cmd *cobra.Command, path string) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " ID", Short: short, Args: exactly(1, "a sweep's id"),
		RunE: func(cmd *cobra.Command, args []string) error { return do(cmd, "/sweeps/"+url.PathEscape(args[0])) },
	}
}

func sweepShowCommand(env Env, conn *connection) *cobra.Command {
	return ofSweep("show", "Show one sweep", func(cmd *cobra.Command, path string) error {
		c, err := conn.client()
		if err != nil {
			return err
		}
		var sweep any
		if _, err := c.Ask(cmd.Context(), client.Question{Path: path}, &sweep); err != nil {
			return err
		}
		return writeJSON(env.Stdout, sweep)
	})
}

func sweepCancelCommand(env Env, conn *connection) *cobra.Command {
	return ofSweep("cancel", "End a sweep; its scans stop where nobody else wants them", func(cmd *cobra.Command, path string) error {
		return tellSweep(cmd, env, conn, client.Question{Method: http.MethodPost, Path: path + "/cancel"})
	})
}

func sweepRestartCommand(env Env, conn *connection) *cobra.Command {
	var failed bool
	cmd := ofSweep("restart", "Begin a sweep that is over once more", func(cmd *cobra.Command, path string) error {
		return tellSweep(cmd, env, conn, client.Question{
			Method: http.MethodPost, Path: path + "/restart", Body: map[string]bool{"failed": failed},
		})
	})
	cmd.Flags().BoolVar(&failed, "failed", false, "only what failed")
	return cmd
}

func sweepDeleteCommand(_ Env, conn *connection) *cobra.Command {
	return ofSweep("delete", "Forget a sweep that is over", func(cmd *cobra.Command, path string) error {
		c, err := conn.client()
		if err == nil {
			_, err = c.Ask(cmd.Context(), client.Question{Method: http.MethodDelete, Path: path}, nil)
		}
		return err
	})
}

// tellSweep asks for a change of a sweep and prints the state it then has.
func tellSweep(cmd *cobra.Command, env Env, conn *connection, q client.Question) error {
	c, err := conn.client()
	if err != nil {
		return err
	}
	var sweep client.Sweep
	if _, err := c.Ask(cmd.Context(), q, &sweep); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, sweep.State)
	return err
}

func sweepTable(sweeps []client.Sweep) *printout.Table {
	t := &printout.Table{}
	t.Row("SWEEP", "RULE", "REGISTRY", "STATE", "LEFT", "DUE", "REPOSITORIES", "IMAGES", "FINISHED", "FAILED")
	for _, s := range sweeps {
		t.Row(s.ID, first(s.Rule, "-"), s.Registry, sweepState(s), timeLeft(s), s.DueAt.UTC().Format(time.DateTime),
			strconv.Itoa(s.Counts.Repositories), strconv.Itoa(s.Counts.Images), strconv.Itoa(s.Counts.Finished), strconv.Itoa(s.Counts.Failed))
	}
	return t
}

func sweepState(s client.Sweep) string {
	state := s.State
	if s.Phase != "" {
		state += ", " + s.Phase
	}
	if s.Waiting != "" {
		state += ", waiting: " + s.Waiting
	}
	if s.Partial {
		state += ", partial"
	}
	return state
}

func timeLeft(s client.Sweep) string {
	if s.SecondsLeft == nil {
		return "-"
	}
	return (time.Duration(*s.SecondsLeft) * time.Second).String()
}
