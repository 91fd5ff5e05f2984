package landwaiter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/printout"
)

func advisoriesCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "advisories", Short: "Show the advisory database, or bring it up to date", Args: cobra.NoArgs}
	conn := connect(cmd, env)
	output := outputFlag(cmd, asTable, asJSON)
	status := func(cmd *cobra.Command, _ []string) error {
		if err := checkOutput(*output, asTable, asJSON); err != nil {
			return err
		}
		c, err := conn.client()
		if err != nil {
			return err
		}
		var a client.Advisories
		if _, err := c.Ask(cmd.Context(), client.Question{Path: "/advisories"}, &a); err != nil {
			return err
		}
		if *output == asJSON {
			return writeJSON(env.Stdout, a)
		}
		return advisoriesTable(a).Write(env.Stdout)
	}
	cmd.RunE = status
	cmd.AddCommand(
		&cobra.Command{Use: "status", Short: "Show the database, its last update, and who has it in use", Args: cobra.NoArgs, RunE: status},
		advisoriesUpdateCommand(env, conn),
	)
	// What leads to the pipeline is the same for all of them.
	cmd.PersistentFlags().AddFlagSet(cmd.Flags())
	return cmd
}

func advisoriesUpdateCommand(env Env, conn *connection) *cobra.Command {
	cmd := &cobra.Command{Use: "update", Short: "Look at the source of advisories now", Args: cobra.NoArgs}
	wait := cmd.Flags().Bool("wait", false, "wait until it is done")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := conn.client()
		if err != nil {
			return err
		}
		var asked client.AdvisoryUpdate
		if _, err := c.Ask(cmd.Context(), client.Question{Method: http.MethodPost, Path: "/advisories/update"}, &asked); err != nil {
			return err
		}
		if *wait {
			return updated(cmd.Context(), env, c, asked.AskedAt)
		}
		_, err = fmt.Fprintln(env.Stdout, "asked for; `"+env.Program+" advisories` shows what became of it")
		return err
	}
	return cmd
}

// updated waits until a look that was asked for has been taken.
func updated(ctx context.Context, env Env, c *client.Client, asked time.Time) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		var a client.Advisories
		if _, err := c.Ask(ctx, client.Question{Path: "/advisories"}, &a); err != nil {
			return err
		}
		switch u := a.Update; {
		case u.Condition != nil && u.Condition.LastAt.After(asked):
			return errors.New("advisories not updated: " + u.Condition.Error)
		case u.SucceededAt.After(asked) && a.Database != nil:
			_, err := fmt.Fprintln(env.Stdout, a.Database.Version)
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func advisoriesTable(a client.Advisories) *printout.Table {
	t := &printout.Table{}
	day := func(at time.Time) string {
		if at.IsZero() {
			return "-"
		}
		return at.UTC().Format(time.DateTime)
	}
	version := "none: nothing is known of any image"
	if db := a.Database; db != nil {
		version = db.Version
		if db.Sample {
			version += " (a small sample)"
		}
		t.Row("DATABASE", version)
		t.Row("NEWEST ADVISORY", day(db.UpdatedAt))
		t.Row("ADVISORIES", fmt.Sprintf("%d, %d left out", db.Records, db.Skipped))
	} else {
		t.Row("DATABASE", version)
	}
	t.Row("SOURCE", first(a.Update.Source, "-"))
	t.Row("LAST SUCCESS", day(a.Update.SucceededAt))
	if f := a.Update.Condition; f != nil {
		t.Row("FAILS SINCE", fmt.Sprintf("%s, %d times: %s", day(f.Since), f.Count, f.Error))
	}
	for _, w := range a.Replicas {
		use := first(w.Database, "none yet")
		if a.Database != nil && use == a.Database.Version {
			use = "up to date"
		}
		t.Row("WORKER "+w.Name, use+" ("+w.Version+")")
	}
	return t
}
