package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/test/harness"
)

// What version 3 of Distribution sends becomes the facts it means: it has
// another content type and other ids than version 2, and tells of deleted tags,
// with an empty digest and media type.
func TestDistribution3Notifies(t *testing.T) {
	harness.EndToEnd(t)
	f := newFrontOf(t, harness.StartRegistry3(t, harness.RegistryOptions{}), "oci")
	f.registry.Restart(t, harness.RegistryOptions{Notify: harness.Notify{URL: "http://" + f.hooks + "/hooks/oci/" + hookSecret}})
	one, two := tiny(t, "ID=debian\n"), tiny(t, "ID=debian\nVERSION_ID=11\n")

	digest := f.registry.Push(t, "team/web:1", one).String()
	f.comes("the pushed tag", 1, func(e events.RegistryEvent) bool {
		return e.Kind == events.ImagePushed && e.Tag == "1" && string(e.Digest) == digest && e.Class == events.ClassImage && e.DeliveryID != ""
	})
	f.comes("its layers and its configuration", 3, func(e events.RegistryEvent) bool {
		return e.Kind == events.LayerPushed && e.Repository == "team/web" && slices.Contains(blobsOf(t, one), string(e.Digest))
	})
	pulled, err := remote.Image(f.registry.Reference(t, "team/web:1"))
	if err != nil {
		t.Fatal(err)
	}
	f.registry.Push(t, "team/copy:1", pulled)
	f.comes("the mounted layers", 3, func(e events.RegistryEvent) bool { return e.Kind == events.LayerPushed && e.Repository == "team/copy" })
	if log := f.registry.Requests(t); !slices.ContainsFunc(log, func(r harness.Request) bool { return strings.Contains(r.Path, "mount=sha256") && r.Status == 201 }) {
		t.Error("no layer was mounted: the test proves nothing about it")
	}

	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: one}, mutate.IndexAddendum{Add: two})
	if err := remote.WriteIndex(f.registry.Reference(t, "team/multi:2"), index); err != nil {
		t.Fatal(err)
	}
	f.comes("the pushed index", 1, func(e events.RegistryEvent) bool {
		return e.Kind == events.ImagePushed && e.Class == events.ClassIndex && e.Tag == "2"
	})
	f.comes("its children", 2, func(e events.RegistryEvent) bool {
		return e.Kind == events.ImagePushed && e.Repository == "team/multi" && e.Tag == "" && e.Class == events.ClassImage
	})

	f.registry.Push(t, "team/web:also", one)
	f.registry.Delete(t, "team/web:1")
	f.comes("the deleted tag", 1, func(e events.RegistryEvent) bool {
		return e.Kind == events.ImageDeleted && e.Repository == "team/web" && e.Tag == "1" && e.Digest == ""
	})
	f.registry.Delete(t, "team/web@"+digest)
	f.comes("the deleted manifest", 1, func(e events.RegistryEvent) bool {
		return e.Kind == events.ImageDeleted && string(e.Digest) == digest && e.Tag == ""
	})
	f.comes("the tag that went with it", 1, func(e events.RegistryEvent) bool { return e.Kind == events.ImageDeleted && e.Tag == "also" })
}

// blobsOf are the digests of an image's layers and configuration.
func blobsOf(t *testing.T, image v1.Image) []string {
	t.Helper()
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	digests := []string{manifest.Config.Digest.String()}
	for _, l := range manifest.Layers {
		digests = append(digests, l.Digest.String())
	}
	return digests
}

// A deleted tag is a reason to look, and what the look shows counts: the image
// loses the tag and stays as long as the registry has it.
func TestDeletedTag(t *testing.T) {
	harness.EndToEnd(t)
	o := short()
	o.registry = harness.StartRegistry3(t, harness.RegistryOptions{})
	o.env = []string{"LANDWAITER_COLLECT_EVERY=5s", "LANDWAITER_LEASE=2s"} // nobody looks unless told
	in := install(t, o)
	image, other := tiny(t, "ID=debian\nVERSION_ID=12\n"), tiny(t, "ID=debian\nVERSION_ID=11\n")
	digest := in.registry.Push(t, "team/app:1", image).String()
	in.registry.Push(t, "team/app:2", image)
	in.tagged(digest, "1", "2")
	in.reported(digest, 6)
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: other, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}},
	})
	if err := remote.WriteIndex(in.registry.Reference(t, "team/multi:1"), index); err != nil {
		t.Fatal(err)
	}
	child, err := other.Digest()
	if err != nil {
		t.Fatal(err)
	}
	in.tagged(child.String(), "1")

	in.registry.Delete(t, "team/app:1")
	in.tagged(digest, "2")
	in.registry.Delete(t, "team/app:2")
	in.tagged(digest)
	in.registry.Delete(t, "team/multi:1")
	in.tagged(child.String())
	in.reported(digest, 6)

	in.registry.Delete(t, "team/app@"+digest)
	harness.WaitFor(t, soon, "the deleted image to vanish from Redis", func(ctx context.Context) error {
		return in.unmentioned(ctx, strings.TrimPrefix(digest, "sha256:"), "team/app")
	}, in.up)
	in.tagged(child.String())
}

// tagged waits for the image to be listed as present, with these tags and no
// others.
func (in *installation) tagged(digest string, tags ...string) {
	in.t.Helper()
	harness.WaitFor(in.t, soon, fmt.Sprintf("%s with the tags %q", digest, tags), func(ctx context.Context) error {
		list, err := in.images(ctx)
		if err != nil {
			return err
		}
		for _, img := range list {
			slices.Sort(img.Tags)
			if img.Digest == digest && img.MissingSince.IsZero() && slices.Equal(img.Tags, tags) {
				return nil
			}
		}
		return fmt.Errorf("images: %+v", list)
	}, in.up)
}
