package harness

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Layered is an image of several layers, and the tree that they make.
type Layered struct {
	Dir    string      // what a container of the image would see; only to be read
	Layers []LayerFile // lowest first
}

// LayerFile is one layer of a Layered.
type LayerFile struct {
	File      string // a gzip'ed tar file
	CreatedBy string // the build instruction that made it
}

// Image is the OCI image for linux/amd64 of the layers.
func (l Layered) Image(tb testing.TB) v1.Image {
	tb.Helper()
	image := scratch(tb)
	for _, layer := range l.Layers {
		content, err := tarball.LayerFromFile(layer.File, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			tb.Fatalf("read layer: %v", err)
		}
		image = Append(tb, image, content, layer.CreatedBy)
	}
	return image
}

// Rootfs is the tree, to ask dpkg and others what is installed in it. It has no
// Layer.
func (l Layered) Rootfs() Rootfs { return Rootfs{Dir: l.Dir} }

// Rich is an image of about a gigabyte such as teams that work in several
// languages have: Debian with Python, Ruby, Java, Node, PHP, R and their
// libraries, an application's own packages beside those of the distribution, Go
// programs, and a last layer that upgrades, purges, deletes and replaces. All is
// really installed, by apt, dpkg and each language's own tools. The layers are
// packed at gzip's level 6. It is made once, in some minutes and with the
// network, and then taken from the cache, where it takes 1.5 GB.
func Rich(tb testing.TB) Layered {
	tb.Helper()
	steps := richSteps()
	base := Debian(tb)
	dir := filepath.Join(cache(tb), "rich-"+recipe(steps))
	unlock := lock(tb, dir+".lock")
	defer unlock()

	if _, err := os.Stat(dir); err == nil {
		return layered(dir, steps)
	}
	// Under another name until it is whole.
	making := dir + ".making"
	if err := os.RemoveAll(making); err != nil {
		tb.Fatalf("remove what an earlier run left: %v", err)
	}
	root := filepath.Join(making, "root")
	if err := os.MkdirAll(making, 0o755); err != nil {
		tb.Fatalf("make folder: %v", err)
	}
	build(tb, base.Dir, root, making, steps)
	if err := os.Rename(making, dir); err != nil {
		tb.Fatalf("keep image: %v", err)
	}
	return layered(dir, steps)
}

// RichMade tells whether Rich has nothing to make.
func RichMade(tb testing.TB) bool {
	tb.Helper()
	_, err := os.Stat(filepath.Join(cache(tb), "rich-"+recipe(richSteps())))
	return err == nil
}

// step is what makes one layer of the layer below.
type step struct {
	name     string                         // of the layer's file
	says     string                         // the build instruction
	programs func(tb testing.TB, to string) // what is copied into the tree first; nil: nothing
	script   string                         // for the shell in the tree; blank: nothing
}

func recipe(steps []step) string {
	sum := sha256.New()
	for _, s := range steps {
		sum.Write([]byte(s.name + "\x00" + s.says + "\x00" + s.script + "\x00"))
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

func layered(dir string, steps []step) Layered {
	l := Layered{Dir: filepath.Join(dir, "root")}
	for _, s := range steps {
		l.Layers = append(l.Layers, LayerFile{filepath.Join(dir, s.name+".tar.gz"), s.says})
	}
	return l
}

// build takes the steps in a copy of a tree and packs what each of them did.
func build(tb testing.TB, from, root, layers string, steps []step) {
	tb.Helper()
	if r := Run(tb.Context(), tb, Command{Path: "cp", Args: []string{"-a", from, root}}); r.Code != 0 {
		tb.Fatalf("copy base: %s", r.Stderr)
	}
	before := tree{}
	for _, s := range steps {
		begun := time.Now()
		if s.programs != nil {
			s.programs(tb, root)
		}
		if s.script != "" {
			ctx, cancel := context.WithTimeout(tb.Context(), debootstrapLimit)
			Inside(ctx, tb, root, "/bin/sh", "-euc", s.script)
			cancel()
		}
		after, err := look(root)
		if err != nil {
			tb.Fatal(err)
		}
		if err := difference(root, filepath.Join(layers, s.name+".tar.gz"), before, after); err != nil {
			tb.Fatalf("pack layer %s: %v", s.name, err)
		}
		before = after
		tb.Logf("layer %s took %v", s.name, time.Since(begun).Round(time.Second))
	}
}

// Inside runs a program of a root file system in it, and returns what it wrote
// to its standard output; it fails the test when the exit code is not 0. The
// program sees a /proc, has no other mount, and is not to change the tree of an
// image that is in the cache.
func Inside(ctx context.Context, tb testing.TB, root string, command ...string) string {
	tb.Helper()
	const enter = `mount -t proc proc "$0/proc" && exec chroot "$0" "$@"`
	result := Run(ctx, tb, Command{
		Path: installed(tb, "unshare", "util-linux"),
		Args: append([]string{"--mount", "/bin/sh", "-c", enter, root}, command...),
		Env: []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "TMPDIR=/tmp",
			"DEBIAN_FRONTEND=noninteractive", "PYTHONDONTWRITEBYTECODE=1",
		},
	})
	if result.Code != 0 {
		tb.Fatalf("%s in %s: exit code %d\n%s\n%s", command[0], root, result.Code, tail(result.Stdout, 10), tail(result.Stderr, 20))
	}
	return result.Stdout
}
