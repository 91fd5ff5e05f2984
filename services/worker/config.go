// Package worker does the work: it plans, sweeps and scans, makes verdicts,
// brings advisories in and keeps the records. Any number of workers run side
// by side; what they share stands in the records.
package worker

import (
	"errors"
	"io/fs"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Config is everything the service is told.
type Config struct {
	// Bus reaches the broker.
	Bus bus.Options
	// File is the configuration file; it defines the credentials this worker
	// can use. Blank: none, only anonymous registries can be read.
	File string
	// Secrets is the folder that credentials' secret files lie in.
	Secrets string
	// Admin is the address of /livez, /readyz and /metrics; blank: none.
	Admin string
	// Dir is where advisory databases are kept as files; blank: a temporary
	// folder, removed at the end.
	Dir string
	// Slots is how many messages are handled at a time; 0: 4, at least 2. One
	// is always kept free of sweeps.
	Slots int
	// Layers is how many layers are read at a time; 0: 2. Each costs memory.
	// One more may be read for a push or a user while sweeps read.
	Layers int
	// Limits bound what reading one layer may cost.
	Limits Limits
	// OS lists the operating systems of images this worker takes; none: linux
	// and windows.
	OS []string
	// Pools lists the pools this worker belongs to, beside the one for jobs
	// that name none.
	Pools []string
	// Advisories says where advisories come from: a directory, URL or OCI
	// artifact (oci://host/repository:tag) in OSV export layout, blank for the configuration file's word, and that blank
	// for the public export. "none" brings in nothing: another worker does.
	Advisories string
	// EPSS and KEV are each a file or URL, of FIRST's scores (CSV, also
	// gzipped) and of CISA's catalogue of known exploited vulnerabilities
	// (JSON); blank: none. One that cannot be read keeps nothing else from
	// being brought in.
	EPSS, KEV string
	// AdvisoriesEvery is how often the source is looked at; 0: 6 h, since
	// sources change several times a day.
	AdvisoriesEvery time.Duration
	// SampleAdvisories stands in while the public export is out of reach; nil:
	// nothing does.
	SampleAdvisories fs.FS
	// Fingerprints is a file that lists known files by their hashes: see
	// fingerprint.Parse. It is read once, at the start. Blank: none, and no
	// file is hashed. With a list, layers read without one are read again; a
	// changed list needs no layer, and is applied to an image at its next scan.
	Fingerprints string
	// Progress hears of layers as they are read, on several goroutines; nil:
	// nobody does.
	Progress func(Progress)
	// Lease is how long a worker's claims outlive it; 0: 10 s.
	Lease time.Duration
	// Retry is the pause after a scan's first failed attempt, which doubles
	// with each; 0: 1 s.
	Retry time.Duration
	// JobDeadline is how long a job may take from its queueing, everything
	// included; 0: 24 h.
	JobDeadline time.Duration
	// KeeperEvery is how often the records are looked after; 0: 5 s.
	KeeperEvery time.Duration
	// CheckEvery looks for images more often than their rules ask; 0: as the
	// rules ask.
	CheckEvery time.Duration
	// CollectEvery is how often unused objects are removed; 0: an hour.
	CollectEvery time.Duration
	// JobRetention is how long an ended job is remembered; 0: 7 days.
	JobRetention time.Duration
	// Grace is how long work in hand may go on after the service was told to
	// stop; 0: 10 s.
	Grace time.Duration
}

// NoAdvisories in Config.Advisories leaves the advisories to other workers.
const NoAdvisories = "none"

func (c Config) withDefaults() Config {
	orDuration := func(d *time.Duration, fallback time.Duration) {
		if *d <= 0 {
			*d = fallback
		}
	}
	orDuration(&c.Lease, 10*time.Second)
	orDuration(&c.Retry, time.Second)
	// Short enough for a place to expire in time; each round reads the records
	// once.
	orDuration(&c.KeeperEvery, 5*time.Second)
	orDuration(&c.AdvisoriesEvery, 6*time.Hour)
	orDuration(&c.JobDeadline, state.JobDeadline)
	orDuration(&c.CollectEvery, time.Hour)
	orDuration(&c.JobRetention, 7*24*time.Hour)
	orDuration(&c.Grace, 10*time.Second)
	if c.Slots <= 0 {
		c.Slots = 4
	}
	c.Slots = max(c.Slots, 2)
	if c.Layers <= 0 {
		c.Layers = 2
	}
	if len(c.OS) == 0 {
		c.OS = []string{"linux", "windows"}
	}
	c.Pools = append([]string{events.AnyPool}, c.Pools...)
	return c
}

// source is where advisories come from, after the configuration file was
// asked.
func (c Config) source(doc config.Document) string {
	if c.Advisories != "" {
		return c.Advisories
	}
	return doc.Advisories.Source
}

// ConfigFromEnv reads the service's environment variables. All that is wrong
// with them is in the error.
func ConfigFromEnv(env app.Env) (Config, error) {
	v := app.Read(env)
	bounds, unfit := limits(v)
	cfg := Config{
		Bus:             v.Bus("worker"),
		File:            v.String("LANDWAITER_CONFIG", ""),
		Secrets:         v.String("LANDWAITER_SECRETS", ""),
		Admin:           v.Addr("LANDWAITER_ADMIN", ""),
		Dir:             v.String("LANDWAITER_DATA", ""),
		Slots:           v.Int("LANDWAITER_SLOTS", 0, 0),
		Layers:          v.Int("LANDWAITER_LAYERS", 0, 0),
		Limits:          bounds,
		OS:              v.List("LANDWAITER_OS"),
		Pools:           v.List("LANDWAITER_POOLS"),
		Advisories:      v.String("LANDWAITER_ADVISORIES_SOURCE", ""),
		EPSS:            v.String("LANDWAITER_ADVISORIES_EPSS", ""),
		KEV:             v.String("LANDWAITER_ADVISORIES_KEV", ""),
		AdvisoriesEvery: v.Duration("LANDWAITER_ADVISORIES_EVERY", 0),
		Fingerprints:    v.String("LANDWAITER_FINGERPRINTS", ""),
		Lease:           v.Duration("LANDWAITER_LEASE", 0),
		Retry:           v.Duration("LANDWAITER_RETRY", 0),
		JobDeadline:     v.Duration("LANDWAITER_JOB_DEADLINE", 0),
		KeeperEvery:     v.Duration("LANDWAITER_KEEPER_EVERY", 0),
		CheckEvery:      v.Duration("LANDWAITER_CHECK_EVERY", 0),
		CollectEvery:    v.Duration("LANDWAITER_COLLECT_EVERY", 0),
		JobRetention:    v.Duration("LANDWAITER_JOB_RETENTION", 0),
	}
	return cfg, errors.Join(v.Err(), unfit)
}
