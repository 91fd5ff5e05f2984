package report

import (
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Config is everything the report service is told.
type Config struct {
	// Bus reaches the broker, where the state and its change feed live.
	Bus bus.Options
	// Redis is the view's store. Nil: it is opened as Store says, and closed
	// when the service ends.
	Redis *redis.Client
	// Store says how to open a store where Redis is nil.
	Store StoreOptions
	// HTTP is the address of the API and the console, host:port; empty:
	// 127.0.0.1:8080.
	HTTP string
	// Listener takes the place of HTTP where the caller has bound the address
	// already. The service closes it.
	Listener net.Listener
	// Admin is the address of /livez, /readyz and /metrics; empty: none.
	Admin string
	// Hosts are the names under which the console and the API may be asked
	// for, beside those of this machine's loopback; without a port they hold
	// for every port.
	Hosts []string
	// AdminToken is the token that opens the API. Empty: the one generated at
	// the first start.
	AdminToken string
	// AnnounceToken is told the generated token, once in an installation's
	// life: only its hash is kept. Nil: it is written to the log.
	AnnounceToken func(token string)
	// WebhookURL gives the address a registry is to send its webhooks to. Nil:
	// the API answers that it does not know.
	WebhookURL func(config.Registry) (string, error)
	// Workers bounds the images projected at a time; 0: 4.
	Workers int
	// SweepEvery is how often expired index entries are removed and images
	// due for a look are projected again; 0: 10 seconds, at most 30.
	SweepEvery time.Duration
	// Grace is how long requests and projections may go on after the service
	// was told to stop; 0: 5 seconds.
	Grace time.Duration
}

const (
	defaultHTTP       = "127.0.0.1:8080"
	defaultWorkers    = 4
	defaultSweepEvery = 10 * time.Second
	// mostSweepEvery keeps the promise that an index entry goes within a
	// minute of its expiry, with one sweep that fails in between.
	mostSweepEvery = 30 * time.Second
	defaultGrace   = 5 * time.Second
)

func (c Config) withDefaults() Config {
	if c.HTTP == "" {
		c.HTTP = defaultHTTP
	}
	if c.Workers <= 0 {
		c.Workers = defaultWorkers
	}
	if c.SweepEvery <= 0 {
		c.SweepEvery = defaultSweepEvery
	}
	c.SweepEvery = min(c.SweepEvery, mostSweepEvery)
	if c.Grace <= 0 {
		c.Grace = defaultGrace
	}
	return c
}
