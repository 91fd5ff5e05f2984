package landwaiter

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/printout"
)

func watchCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "watch", Short: "Print what happens, as it happens", Args: cobra.NoArgs}
	conn := connect(cmd, env)
	registry := cmd.Flags().String("registry", "", "only what happens at this registry")
	ref := cmd.Flags().String("ref", "", "only what happens to this image or repository")
	output := outputFlag(cmd, asTable, asJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkOutput(*output, asTable, asJSON); err != nil {
			return err
		}
		c, err := conn.client()
		if err != nil {
			return err
		}
		q := url.Values{}
		for name, v := range map[string]string{"registry": *registry, "ref": *ref} {
			if v != "" {
				q.Set(name, v)
			}
		}
		opened := func() { env.warn("watching %s", c.Address()) }
		return c.Follow(cmd.Context(), q, opened, func(e client.Event) error {
			text := e.Data
			if *output == asTable {
				text = eventLine(e)
			}
			_, err := fmt.Fprintln(env.Stdout, text)
			return err
		})
	}
	return cmd
}

// happened is what a line tells of an event.
type happened struct {
	Time    time.Time `json:"time"`
	Subject string    `json:"subject"`
	Data    struct {
		Status  *verdict.Status  `json:"status"`
		Summary *verdict.Summary `json:"summary"`
		Error   string           `json:"error"`
		Version string           `json:"version"`
		Records int              `json:"records"`
		Image   struct {
			Platform verdict.Platform `json:"platform"`
		} `json:"image"`
	} `json:"data"`
}

// eventLine tells an event in a line; one that is not understood is told as it
// is.
func eventLine(e client.Event) string {
	var h happened
	if err := json.Unmarshal([]byte(e.Data), &h); err != nil {
		return printout.Clean(e.Kind + "  " + e.Data)
	}
	parts := []string{h.Time.UTC().Format("15:04:05"), fmt.Sprintf("%-18s", e.Kind), h.Subject}
	if h.Data.Image.Platform.OS != "" {
		parts = append(parts, h.Data.Image.Platform.String())
	}
	if h.Data.Status != nil && h.Data.Summary == nil {
		parts = append(parts, printout.Status(*h.Data.Status))
	}
	if h.Data.Summary != nil {
		parts = append(parts, printout.Counts(*h.Data.Summary))
	}
	if h.Data.Records > 0 {
		parts = append(parts, fmt.Sprintf("%d records", h.Data.Records))
	}
	if h.Data.Error != "" {
		parts = append(parts, h.Data.Error)
	}
	return strings.TrimRight(printout.Clean(strings.Join(parts, "  ")), " ")
}
