package local

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/rule"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
)

// open finds the source's one image for the platform.
func open(ctx context.Context, o Options) (image, error) {
	if o.Platform != "" {
		if err := config.CheckPlatform(o.Platform); err != nil {
			return image{}, fmt.Errorf("platform %q: %w", o.Platform, err)
		}
	}
	kind, rest, found := strings.Cut(o.Source, ":")
	switch {
	case found && kind == "oci":
		return openLayout(ctx, rest, o.Platform)
	case found && kind == "oci-archive":
		return openArchive(ctx, rest, o.Platform)
	case found && kind == "docker-archive":
		return openDocker(rest)
	default:
		return openRemote(ctx, o)
	}
}

// resolve follows an index to the image for the platform.
func resolve(ctx context.Context, content plan.Content, repository string, d events.Digest, platform string) (state.Image, error) {
	img, err := plan.Read(ctx, content, repository, d)
	if err != nil {
		return state.Image{}, err
	}
	if !img.Index() {
		return img, nil
	}
	child, err := choose(img.Children, platform)
	if err != nil {
		return state.Image{}, fmt.Errorf("index %s: %w", d, err)
	}
	img, err = plan.Read(ctx, content, repository, child)
	if err == nil && img.Index() {
		err = fmt.Errorf("index %s: its entry %s is an index again", d, child)
	}
	return img, err
}

// choose picks the one child for the platform; nothing is guessed.
func choose(children []state.Child, platform string) (events.Digest, error) {
	children = distinct(children)
	if platform == "" && len(children) == 1 {
		return children[0].Digest, nil
	}
	wanted := platform
	if wanted == "" {
		wanted = "linux/" + runtime.GOARCH
	}
	matcher, err := rule.Compile(config.Rule{Platforms: []string{wanted}})
	if err != nil {
		return "", err
	}
	var fit []state.Child
	var all []string
	for _, c := range children {
		all = append(all, verdict.Platform(c.Platform).String())
		if matcher.Platform(c.Platform.OS, c.Platform.Architecture, c.Platform.Variant) {
			fit = append(fit, c)
		}
	}
	switch len(fit) {
	case 0:
		return "", fmt.Errorf("no image for %s; name one of %s with --platform", wanted, strings.Join(all, ", "))
	case 1:
		return fit[0].Digest, nil
	}
	return "", fmt.Errorf("several images for %s; name one by its digest, or by its platform with --platform: %s", wanted, listed(fit))
}

// distinct drops what is there again, as an image that has two tags.
func distinct(children []state.Child) []state.Child {
	seen := map[events.Digest]bool{}
	return slices.DeleteFunc(slices.Clone(children), func(c state.Child) bool {
		again := seen[c.Digest]
		seen[c.Digest] = true
		return again
	})
}

// listed names some images by digest and platform: those for several releases
// of Windows differ in nothing else.
func listed(children []state.Child) string {
	const most = 10
	var all []string
	for _, c := range children[:min(len(children), most)] {
		name := "@" + string(c.Digest)
		if c.Platform.OS != "" {
			name += " (" + verdict.Platform(c.Platform).String() + ")"
		}
		all = append(all, name)
	}
	if more := len(children) - most; more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, ", ")
}
