package landwaiter

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/printout"
)

// kindOf reads the name of a kind of objects as people write it.
func kindOf(s string) (string, error) {
	switch strings.ToLower(s) {
	case "registry", "registries":
		return "registry", nil
	case "rule", "rules":
		return "rule", nil
	case "credential", "credentials":
		return "", errors.New("credentials stand in the services' own configuration and never pass through the API")
	default:
		return "", fmt.Errorf("there are no %q: ask for registries or rules", s)
	}
}

func getCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "get registries|rules [NAME]", Short: "Print registries or rules",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return fmt.Errorf("get takes a kind and perhaps a name: %s", cmd.UseLine())
			}
			return nil
		},
	}
	conn := connect(cmd, env)
	output := outputFlag(cmd, asTable, asJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkOutput(*output, asTable, asJSON); err != nil {
			return err
		}
		kind, err := kindOf(args[0])
		if err != nil {
			return err
		}
		c, err := conn.client()
		if err != nil {
			return err
		}
		path := "/" + plural(kind)
		if len(args) == 2 {
			// One object is shown in full: a table would leave most of it out.
			var object json.RawMessage
			if _, err := c.Ask(cmd.Context(), client.Question{Path: path + "/" + url.PathEscape(args[1])}, &object); err != nil {
				return err
			}
			return writeJSON(env.Stdout, object)
		}
		var objects []map[string]any
		if _, err := c.Ask(cmd.Context(), client.Question{Path: path}, &objects); err != nil {
			return err
		}
		if *output == asJSON {
			return writeJSON(env.Stdout, objects)
		}
		return objectTable(kind, objects).Write(env.Stdout)
	}
	return cmd
}

func objectTable(kind string, objects []map[string]any) *printout.Table {
	columns := []string{"name", "type", "address", "credential", "managedBy", "condition"}
	if kind == "rule" {
		columns = []string{"name", "registry", "repositories", "tags", "managedBy"}
	}
	t := &printout.Table{}
	var head []string
	for _, c := range columns {
		head = append(head, strings.ToUpper(strings.ReplaceAll(c, "managedBy", "managed by")))
	}
	t.Row(head...)
	for _, o := range objects {
		var row []string
		for _, c := range columns {
			text := cell(o[c])
			if c == "credential" && o["credentialState"] == unconfirmed {
				text += " (" + unconfirmed + ")"
			}
			row = append(row, text)
		}
		t.Row(row...)
	}
	return t
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case map[string]any: // a condition
		return fmt.Sprint(v["error"])
	case []any:
		var parts []string
		for _, p := range v {
			parts = append(parts, fmt.Sprint(p))
		}
		return strings.Join(parts, ",")
	default:
		return fmt.Sprint(v)
	}
}

func deleteCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete registry|rule NAME", Short: "Delete a registry or a rule", Args: exactly(2, "a kind and a name"),
	}
	conn := connect(cmd, env)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind, err := kindOf(args[0])
		if err != nil {
			return err
		}
		c, err := conn.client()
		if err != nil {
			return err
		}
		q := client.Question{Method: http.MethodDelete, Path: "/" + plural(kind) + "/" + url.PathEscape(args[1])}
		if _, err := c.Ask(cmd.Context(), q, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "%s %s deleted\n", kind, args[1])
		return err
	}
	return cmd
}
