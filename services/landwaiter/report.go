package landwaiter

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
)

func reportCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "report REF|DIGEST", Short: "Print the report of an image that was scanned",
		Args: exactly(1, "an image's reference or digest"),
	}
	conn := connect(cmd, env)
	platform := cmd.Flags().String("platform", "", "`PLATFORM` of an image for several, as linux/amd64 (default: all)")
	output := outputFlag(cmd, reportForms()...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkOutput(*output, reportForms()...); err != nil {
			return err
		}
		c, err := conn.client()
		if err != nil {
			return err
		}
		r := &requester{client: c, env: env}
		digests, ref, err := r.find(cmd.Context(), args[0], *platform)
		if err != nil {
			return err
		}
		if *output != asTable && *output != asJSON {
			if len(digests) != 1 {
				return fmt.Errorf("%s is %d images; pick one with --platform for the output %s", args[0], len(digests), *output)
			}
			raw, err := r.rendered(cmd.Context(), digests[0], ref, *output)
			if err != nil {
				return err
			}
			_, err = env.Stdout.Write(raw)
			return err
		}
		reports := make([]verdict.Report, 0, len(digests))
		for _, d := range digests {
			report, err := r.report(cmd.Context(), d, ref)
			if err != nil {
				return err
			}
			reports = append(reports, report)
		}
		return writeReports(env.Stdout, *output, reports)
	}
	return cmd
}

// find resolves what the user named to the digests of platform images, and to
// the place they are asked for at.
func (r *requester) find(ctx context.Context, name, platform string) (digests []string, ref string, err error) {
	if strings.HasPrefix(name, "sha256:") || strings.HasPrefix(name, "sha256-") {
		digests, err = r.platforms(ctx, strings.Replace(name, "-", ":", 1), platform)
		return digests, "", err
	}
	page, err := r.list(ctx, name)
	if err != nil {
		return nil, "", err
	}
	for _, i := range page.Images {
		if i.Platform.OS != "" && fits(i.Platform, platform) {
			digests = append(digests, i.Digest)
		}
	}
	if len(digests) > 0 {
		return digests, name, nil
	}
	for _, i := range page.Images { // an index whose images are listed elsewhere
		if digests, err = r.platforms(ctx, i.Digest, platform); err == nil {
			return digests, "", nil
		}
	}
	return nil, "", fmt.Errorf("%s is not known: `%s scan --wait %s` scans it", name, r.env.Program, name)
}

// list lists an image's places. A list that is being rebuilt, as it is for a
// moment after each start, is waited for.
func (r *requester) list(ctx context.Context, ref string) (client.Images, error) {
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	q := url.Values{"ref": {ref}, "limit": {"500"}}
	for {
		var page client.Images
		_, err := r.client.Ask(ctx, client.Question{Path: "/images", Query: q}, &page)
		if err != nil || len(page.Images) > 0 || !page.Rebuilding {
			return page, err
		}
		select {
		case <-ctx.Done():
			return page, errors.New("the list of images is still being rebuilt; try again later")
		case <-tick.C:
		}
	}
}

// platforms are the platform images of a digest: of an index all that fit.
func (r *requester) platforms(ctx context.Context, digest, platform string) ([]string, error) {
	var image client.Image
	if _, err := r.client.Ask(ctx, client.Question{Path: "/images/" + url.PathEscape(digest)}, &image); err != nil {
		return nil, err
	}
	if len(image.Platforms) == 0 {
		return []string{image.Digest}, nil
	}
	var digests, all []string
	for _, p := range image.Platforms {
		all = append(all, p.Platform.String())
		if fits(p.Platform, platform) {
			digests = append(digests, p.Digest)
		}
	}
	if len(digests) == 0 {
		return nil, fmt.Errorf("%s has no image for %s, but for %s", digest, platform, strings.Join(all, ", "))
	}
	return digests, nil
}

// fits tells whether a platform is the one asked for, as far as that says.
func fits(p verdict.Platform, wanted string) bool {
	return wanted == "" || p.String() == wanted || strings.HasPrefix(p.String(), wanted+"/")
}
