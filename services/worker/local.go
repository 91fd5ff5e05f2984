package worker

import (
	"context"
	"io/fs"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/local"
)

// LocalOptions says what ScanLocal scans and what it compares it with.
type LocalOptions struct {
	// Source is an image's reference, or oci:DIR, oci-archive:FILE or
	// docker-archive:FILE.
	Source string
	// Platform picks an image of several: os[/architecture[/variant]]; blank:
	// the only one, else linux and this machine's architecture.
	Platform string
	// Advisories is a directory or URL in OSV export layout; blank: the newest
	// database in Databases, else the public export for what the image holds.
	Advisories string
	// Databases is where a worker on this machine keeps its databases; blank:
	// nowhere.
	Databases string
	// Cache is a folder for exports that were fetched and compiled.
	Cache string
	// SampleAdvisories stands in while the public export is out of reach; nil:
	// nothing does.
	SampleAdvisories fs.FS
	// DockerConfig is the content of a docker config.json with logins for
	// private registries; blank: none.
	DockerConfig string
	// Fingerprints is a file that lists known files, as in Config; blank: none.
	Fingerprints string
	// Limits bound what reading one layer may cost.
	Limits Limits
	// Progress hears of layers as they are read, on several goroutines; nil:
	// nobody does.
	Progress func(Progress)
	// Notice hears in words of what takes long or went wrong; nil: nobody does.
	Notice func(string)
}

// ScanLocal scans one image in this process, with the same engine as a worker
// and without records, queues or a broker. What is not known is in the
// report's completeness, not in the error.
func ScanLocal(ctx context.Context, o LocalOptions) (verdict.Report, error) {
	reader, known, err := newEngine(o.Fingerprints, o.Limits)
	if err != nil {
		return verdict.Report{}, err
	}
	return local.Scan(ctx, local.Options{
		Source: o.Source, Platform: o.Platform, Advisories: o.Advisories, Databases: o.Databases, Cache: o.Cache,
		Sample: o.SampleAdvisories, Docker: o.DockerConfig, Progress: o.Progress, Notice: o.Notice,
		Reader: reader, Known: known, Now: time.Now,
	})
}
