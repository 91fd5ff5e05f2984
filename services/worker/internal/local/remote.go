package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/registry"
)

// openRemote finds an image at its registry.
func openRemote(ctx context.Context, o Options) (image, error) {
	ref, err := name.ParseReference(o.Source)
	if err != nil {
		return image{}, fmt.Errorf("image reference: %w (or name files: oci:DIR, oci-archive:FILE, docker-archive:FILE)", err)
	}
	client, err := o.client(ref.Context().RegistryStr())
	if err != nil {
		return image{}, err
	}
	repository := ref.Context().RepositoryStr()
	img := image{
		host: client.Host(), repository: repository,
		blob: func(ctx context.Context, d events.Digest) (io.ReadCloser, error) {
			body, _, err := client.Blob(ctx, repository, string(d))
			return body, err
		},
		close: func() error { client.Close(); return nil },
	}
	if _, tagged := ref.(name.Tag); tagged {
		img.tag = ref.Identifier()
	}
	head, err := client.Head(ctx, repository, ref.Identifier())
	if err == nil {
		img.Image, err = resolve(ctx, client, repository, events.Digest(head.Digest), o.Platform)
	}
	if err != nil {
		client.Close()
		return image{}, err
	}
	return img, nil
}

// client speaks to the registry, with the docker configuration's login where
// it has one.
func (o Options) client(host string) (*registry.Client, error) {
	settings := config.Registry{Name: strings.ReplaceAll(host, ":", "-"), Address: host}
	if o.Docker != "" {
		login := config.Resolved{Name: "docker config.json", Type: config.DockerConfigFile, Config: config.NewSecret(o.Docker)}
		client, err := registry.New(settings, login, registry.Options{})
		if !errors.Is(err, registry.ErrInvalid) {
			return client, err
		}
		// No entry for this host: what is public can be had without.
	}
	return registry.New(settings, config.Resolved{}, registry.Options{})
}
