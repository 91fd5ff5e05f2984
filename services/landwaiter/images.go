package landwaiter

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/printout"
)

// filters are the API's filters of images.
func filters() []string {
	return []string{"ref", "registry", "repository", "tag", "severity", "vulnerability", "package", "status"}
}

func imagesCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "images", Short: "List the images that are known", Args: cobra.NoArgs}
	conn := connect(cmd, env)
	values := map[string]*string{}
	for _, name := range filters() {
		values[name] = cmd.Flags().String(name, "", "only images with this "+name)
	}
	output := outputFlag(cmd, asTable, asJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q := url.Values{}
		for name, v := range values {
			if *v != "" {
				q.Set(name, *v)
			}
		}
		return listImages(cmd.Context(), env, conn, "/images", q, *output)
	}
	return cmd
}

func vulnerabilityCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "vulnerability ID", Short: "List the images that a vulnerability is in",
		Args: exactly(1, "a vulnerability's id"),
	}
	conn := connect(cmd, env)
	output := outputFlag(cmd, asTable, asJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return listImages(cmd.Context(), env, conn, "/vulnerabilities/"+url.PathEscape(args[0])+"/images", url.Values{}, *output)
	}
	return cmd
}

// listImages lists all pages of a list of images.
func listImages(ctx context.Context, env Env, conn *connection, path string, q url.Values, output string) error {
	if err := checkOutput(output, asTable, asJSON); err != nil {
		return err
	}
	c, err := conn.client()
	if err != nil {
		return err
	}
	images := []client.Image{}
	rebuilding := false
	err = client.Pages(ctx, c, path, q, func(page client.Images) string {
		images = append(images, page.Images...)
		rebuilding = rebuilding || page.Rebuilding
		return page.Next
	})
	if err != nil {
		return err
	}
	if rebuilding {
		env.warn("the list is being rebuilt: images may be missing")
	}
	if output == asJSON {
		return writeJSON(env.Stdout, images)
	}
	if err := printout.Images(env.Stdout, images); err != nil {
		return err
	}
	if len(images) == 0 {
		env.warn("no image fits")
	}
	return nil
}
