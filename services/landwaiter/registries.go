package landwaiter

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/printout"
)

func registriesCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "registries", Short: "Test registries and confirm their credentials; `get registries` lists them",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("registries cannot %s: there are `registries test NAME` and `registries confirm NAME`", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(testRegistryCommand(env), confirmRegistryCommand(env))
	return cmd
}

// trial is what came of a registry's test.
type trial struct {
	Worker   string `json:"worker"`
	OK       bool   `json:"ok"`
	Complete bool   `json:"complete"`
	Steps    []struct {
		Step   string  `json:"step"`
		OK     bool    `json:"ok"`
		Took   float64 `json:"took"` // seconds
		Error  string  `json:"error"`
		Detail string  `json:"detail"`
	} `json:"steps"`
}

func testRegistryCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "test NAME", Short: "Have a worker go the way of a scan, up to one manifest",
		Long: "test has a worker go the way of a scan: it resolves the registry's name, connects,\n" +
			"logs in, lists repositories and the tags of one of them, and reads one manifest.\n" +
			"It ends with 1 where a step fails.",
		Args: exactly(1, "a registry's name"),
	}
	conn := connect(cmd, env)
	output := outputFlag(cmd, asTable, asJSON)
	repository := cmd.Flags().String("repository", "", "repository to read; without it one that a rule names, or the catalog")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkOutput(*output, asTable, asJSON); err != nil {
			return err
		}
		c, err := conn.client()
		if err != nil {
			return err
		}
		var got trial
		question := client.Question{
			Method: http.MethodPost, Path: "/registries/" + url.PathEscape(args[0]) + "/test",
			Body: map[string]string{"repository": *repository},
		}
		if _, err := c.Ask(cmd.Context(), question, &got); err != nil {
			return err
		}
		if *output == asJSON {
			err = writeJSON(env.Stdout, got)
		} else {
			err = got.table().Write(env.Stdout)
		}
		switch {
		case err != nil:
			return err
		case !got.Complete:
			return fmt.Errorf("the test of %s took too long; what it found so far is above", args[0])
		case !got.OK:
			return errors.New("the registry " + args[0] + " cannot be read as it is configured")
		}
		return nil
	}
	return cmd
}

func (t trial) table() *printout.Table {
	out := &printout.Table{}
	out.Row("STEP", "", "TOOK", "")
	for _, s := range t.Steps {
		word, what := "ok", s.Detail
		if !s.OK {
			word, what = "failed", s.Error
		}
		took := time.Duration(s.Took * float64(time.Second)).Round(time.Millisecond)
		out.Row(s.Step, word, took.String(), what)
	}
	return out
}
