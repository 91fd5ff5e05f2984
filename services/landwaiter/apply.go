package landwaiter

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/limit"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
)

func applyCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "apply -f FILE", Short: "Create or replace the registries and rules of a document", Args: cobra.NoArgs,
		Long: "apply takes the same document as the services' configuration file, with registries and\n" +
			"rules alone. Credentials stay in the services' own configuration. What somebody else\n" +
			"changes while apply runs is not overwritten, unless --force says so.",
	}
	conn := connect(cmd, env)
	file := cmd.Flags().StringP("file", "f", "", "`FILE` with the document; - is standard input")
	force := cmd.Flags().Bool("force", false, "replace also what somebody else changes at the same time")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file == "" {
			return errors.New("apply takes a document: landwaiter apply -f FILE")
		}
		raw, err := document(env, *file)
		if err != nil {
			return err
		}
		c, err := conn.client()
		if err != nil {
			return err
		}
		return apply(cmd.Context(), env, c, *file, raw, *force)
	}
	return cmd
}

// document reads a file, or standard input.
func document(env Env, file string) (raw []byte, err error) {
	if file == "-" {
		raw, err = limit.ReadAll(env.Stdin, config.MaxSize)
	} else {
		raw, err = limit.ReadFile(file, config.MaxSize)
	}
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	return raw, nil
}

// apply checks the whole document before it changes anything.
func apply(ctx context.Context, env Env, c *client.Client, name string, raw []byte, force bool) error {
	known, err := names(ctx, c, "registries")
	if err != nil {
		return err
	}
	doc, err := config.ParseWith(name, raw, config.Known{Registries: known})
	if err = errors.Join(err, foreign(name, doc)); err != nil {
		return err
	}
	var errs []error
	changes := changes{client: c, force: force}
	put := func(kind, name string, value any) {
		errs = append(errs, changes.read(ctx, kind, name, value))
	}
	for _, r := range doc.Registries {
		put("registry", r.Name, r)
	}
	for _, r := range doc.Rules {
		put("rule", r.Name, r)
	}
	if len(doc.Registries)+len(doc.Rules) == 0 {
		errs = append(errs, fmt.Errorf("%s names no registry and no rule: nothing was changed", name))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return changes.put(ctx, env)
}

// foreign finds what only the services' own file may define.
func foreign(name string, doc config.Document) error {
	var errs []error
	if len(doc.Credentials) > 0 {
		errs = append(errs, fmt.Errorf("%s: credentials: they belong to the services' own configuration (landwaiter up --config FILE) "+
			"and never pass through the API; leave them out here and let registries name them", name))
	}
	if doc.Defaults != (config.Defaults{}) {
		errs = append(errs, fmt.Errorf("%s: defaults: they belong to the services' own configuration (landwaiter up --config FILE)", name))
	}
	if doc.Advisories.Source != "" || len(doc.Advisories.Ecosystems) > 0 {
		errs = append(errs, fmt.Errorf("%s: advisories: they belong to the services' own configuration (landwaiter up --config FILE)", name))
	}
	return errors.Join(errs...)
}

// names lists the objects of a kind.
func names(ctx context.Context, c *client.Client, kind string) ([]string, error) {
	var objects []struct {
		Name string `json:"name"`
	}
	if _, err := c.Ask(ctx, client.Question{Path: "/" + kind}, &objects); err != nil {
		return nil, err
	}
	list := make([]string, 0, len(objects))
	for _, o := range objects {
		list = append(list, o.Name)
	}
	return list, nil
}

func plural(kind string) string {
	if kind == "registry" {
		return "registries"
	}
	return kind + "s"
}
