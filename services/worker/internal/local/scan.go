// Package local scans one image in this process, with the engine a worker has
// and without records, queues or a broker.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/assess"
	"github.com/landwaiter/landwaiter/services/worker/internal/fingerprint"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
	"github.com/landwaiter/landwaiter/services/worker/internal/layers"
	"github.com/landwaiter/landwaiter/services/worker/internal/scan"
)

// Options says what to scan and what to compare it with.
type Options struct {
	// Source is an image's reference, or oci:DIR, oci-archive:FILE or
	// docker-archive:FILE.
	Source string
	// Platform picks an image of several: os[/architecture[/variant]]; blank:
	// linux and this machine's architecture.
	Platform string
	// Advisories is a directory or URL in OSV export layout; blank: the
	// newest database in Databases, else the public export.
	Advisories string
	// Public is the public export; blank: feed.Public.
	Public string
	// Databases is where a worker on this machine keeps its databases.
	Databases string
	// Cache is where exports that were fetched and compiled are kept.
	Cache string
	// Sample stands in while the public export is out of reach; nil: nothing
	// does.
	Sample fs.FS
	// Docker is the content of a docker config.json, for private registries;
	// blank: anonymous.
	Docker string
	// Progress hears of layers as they are read; nil: nobody does.
	Progress func(scan.Progress)
	// Notice hears in words of what takes long or went wrong; nil: nobody does.
	Notice func(string)
	// Reader reads layers.
	Reader *layer.Reader
	// Known is held against each layer; nil: nothing is known.
	Known *fingerprint.List
	Now   func() time.Time
}

// atOnce is how many layers are read at a time, as a worker does by default.
const atOnce = 2

// Scan makes the image's report. Without any advisories it says that nothing
// is known; see assess.Report.
func Scan(ctx context.Context, o Options) (verdict.Report, error) {
	img, err := open(ctx, o)
	if err != nil {
		return verdict.Report{}, err
	}
	report, err := assessed(ctx, o, img)
	return report, errors.Join(err, img.close())
}

func assessed(ctx context.Context, o Options, img image) (verdict.Report, error) {
	inv, err := take(ctx, o, img)
	if err != nil {
		return verdict.Report{}, err
	}
	raw, err := inv.Encode()
	if err != nil {
		return verdict.Report{}, err
	}
	at := o.Now()
	db, err := o.database(ctx, families(inv))
	if err != nil {
		return verdict.Report{}, err
	}
	report := assess.Report(db, assess.Subject{Digest: img.Digest, Platform: img.Platform, Inventory: state.DigestOf(raw)}, inv)
	report = assess.Dated(report, db, at, o.Now())
	report.Image.Host, report.Image.Repository = img.host, img.repository
	if img.tag != "" {
		report.Image.Tags = []string{img.tag}
	}
	if db != nil {
		err = db.Close()
	}
	return report, err
}

// take makes the inventory of all layers, laid over each other.
func take(ctx context.Context, o Options, img image) (inventory.Image, error) {
	made := make([]inventory.Layer, len(img.Layers))
	history := make([]verdict.Layer, len(img.Layers))
	sizes := make([]int64, len(img.Layers))
	for i, l := range img.Layers {
		history[i] = verdict.Layer{Index: i, Digest: string(l.Digest), CreatedBy: l.CreatedBy, Size: l.Size}
		sizes[i] = l.Size
	}
	meter := scan.NewMeter(img.Digest, sizes, o.Progress)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, l := range img.Layers {
		if l.Foreign {
			made[i] = scan.Foreign(l)
			meter.Done(i, l.Size)
			continue
		}
		group.Go(func() error {
			inv, err := read(ctx, o.Reader, img, l.Digest, func(n int64) { meter.Read(i, n) })
			if errors.Is(err, layer.ErrTooLarge) {
				inv, err = o.Reader.Unread(string(l.Digest)), nil
			}
			if err != nil {
				return err
			}
			made[i] = o.Known.Mark(inv)
			meter.Done(i, l.Size)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return inventory.Image{}, err
	}
	return scan.Merge(layers.EngineKey(o.Reader.Engine()+o.Known.Version()), made, history, img.Image), nil
}

func read(ctx context.Context, r *layer.Reader, img image, d events.Digest, tell func(int64)) (inventory.Layer, error) {
	body, err := img.blob(ctx, d)
	if err != nil {
		return inventory.Layer{}, err
	}
	inv, err := r.Read(ctx, string(d), layer.Progress(body, tell))
	if closeErr := body.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("close layer %s: %w", d, closeErr)
	}
	return inv, err
}

// image is an opened image.
type image struct {
	state.Image

	host, repository, tag string
	blob                  func(context.Context, events.Digest) (io.ReadCloser, error)
	close                 func() error
}
