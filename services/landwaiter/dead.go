package landwaiter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/printout"
)

// deadFilter are the flags that choose dead letters.
type deadFilter struct {
	stream, contains string
}

func (f *deadFilter) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.stream, "stream", "", "only letters of this `STREAM`; REPLAYS: webhooks that were not understood")
	cmd.Flags().StringVar(&f.contains, "reason-contains", "", "only letters with this `TEXT` in their reason")
}

func deadCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "dead", Short: "List, show or replay what could not be handled", Args: cobra.NoArgs}
	conn := connect(cmd, env)
	// What leads to the pipeline is the same for all of them.
	cmd.PersistentFlags().AddFlagSet(cmd.Flags())
	list := deadListCommand(env, conn)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return listDead(cmd.Context(), env, conn, deadFilter{}, asTable)
	}
	cmd.AddCommand(list, deadShowCommand(env, conn), deadReplayCommand(env, conn))
	return cmd
}

func deadListCommand(env Env, conn *connection) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List dead letters, newest first", Args: cobra.NoArgs}
	var filter deadFilter
	filter.flags(cmd)
	output := outputFlag(cmd, asTable, asJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return listDead(cmd.Context(), env, conn, filter, *output)
	}
	return cmd
}

// listDead lists all pages.
func listDead(ctx context.Context, env Env, conn *connection, filter deadFilter, output string) error {
	if err := checkOutput(output, asTable, asJSON); err != nil {
		return err
	}
	c, err := conn.client()
	if err != nil {
		return err
	}
	q := url.Values{"stream": {filter.stream}, "contains": {filter.contains}}
	letters := []client.DeadLetter{}
	err = client.Pages(ctx, c, "/dead", q, func(page client.DeadLetters) string {
		letters = append(letters, page.Letters...)
		return page.NextCursor
	})
	if err != nil {
		return err
	}
	if output == asJSON {
		return writeJSON(env.Stdout, letters)
	}
	return deadTable(letters).Write(env.Stdout)
}

func deadTable(letters []client.DeadLetter) *printout.Table {
	t := &printout.Table{}
	t.Row("LETTER", "TIME", "STREAM", "REGISTRY", "BYTES", "REPLAYABLE", "REASON")
	for _, l := range letters {
		replayable := "no"
		if l.Replayable {
			replayable = "yes"
		}
		t.Row(l.ID, l.Time.UTC().Format(time.DateTime), l.Stream, first(l.Registry, "-"), strconv.Itoa(l.Size), replayable, l.Reason)
	}
	return t
}

func deadShowCommand(env Env, conn *connection) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one dead letter with its headers and data", Args: exactly(1, "a dead letter's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := conn.client()
			if err != nil {
				return err
			}
			var letter json.RawMessage
			if _, err := c.Ask(cmd.Context(), client.Question{Path: "/dead/" + url.PathEscape(args[0])}, &letter); err != nil {
				return err
			}
			return writeJSON(env.Stdout, letter)
		},
	}
}

func deadReplayCommand(env Env, conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use: "replay ID... | replay --all", Short: "Handle dead letters again",
		Long: "Handle dead letters again: publish what they hold where it was, and remove them.\n\n" +
			"A webhook that was not understood is read again, a scan that was tried too often\n" +
			"is tried again. What still cannot be handled is a dead letter again, under a new\n" +
			"id and with the reason of this time.",
	}
	var filter deadFilter
	filter.flags(cmd)
	all := cmd.Flags().Bool("all", false, "replay every letter that there is now, or those that the filters choose")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *all == (len(args) > 0) {
			return errors.New("replay takes ids of dead letters, or --all")
		}
		if !*all && filter != (deadFilter{}) {
			return errors.New("--stream and --reason-contains go with --all")
		}
		c, err := conn.client()
		if err != nil {
			return err
		}
		if *all {
			return replayAll(cmd.Context(), env, c, filter)
		}
		return replayEach(cmd.Context(), env, c, args)
	}
	return cmd
}

// replayEach replays what it can; the error names the others.
func replayEach(ctx context.Context, env Env, c *client.Client, ids []string) error {
	var errs []error
	for _, id := range ids {
		q := client.Question{Method: http.MethodPost, Path: "/dead/" + url.PathEscape(id) + "/replay"}
		if _, err := c.Ask(ctx, q, nil); err != nil {
			errs = append(errs, err)
			continue
		}
		if _, err := fmt.Fprintf(env.Stdout, "%s replayed\n", printout.Clean(id)); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// replayAll asks for batch after batch.
func replayAll(ctx context.Context, env Env, c *client.Client, filter deadFilter) error {
	order := client.Replay{Stream: filter.stream, Contains: filter.contains}
	var replayed, skipped int
	for {
		var batch client.Replayed
		if _, err := c.Ask(ctx, client.Question{Method: http.MethodPost, Path: "/dead/replay", Body: order}, &batch); err != nil {
			if replayed > 0 {
				env.warn("%d replayed before it stopped; go on with the same command", replayed)
			}
			return err
		}
		replayed, skipped = replayed+batch.Replayed, skipped+batch.Skipped
		if batch.NextCursor == "" || batch.NextCursor == order.Cursor {
			break
		}
		order.Cursor = batch.NextCursor
	}
	if skipped > 0 {
		env.warn("%d cannot be replayed: `%s dead replay ID` says why", skipped, env.Program)
	}
	_, err := fmt.Fprintf(env.Stdout, "%d replayed\n", replayed)
	return err
}
