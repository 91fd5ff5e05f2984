// Package ingest receives registries' webhooks and stores what they say as
// events on the REGISTRY stream. It answers yes only when the broker has
// confirmed, and no only to who is not authentic, so that no sender gives up on
// a hook that works.
package ingest

import (
	"net"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/hook"
)

// Config is everything the service is told.
type Config struct {
	// Bus reaches the broker.
	Bus bus.Options
	// File is the configuration file; blank: the state has what is needed.
	File string
	// Listen is the address of the webhooks, host:port; blank: 127.0.0.1:8081.
	Listen string
	// Listener takes the place of Listen where the caller has bound the
	// address already. The service closes it.
	Listener net.Listener
	// Admin is the address of /livez, /readyz and /metrics; blank: none.
	Admin string
	// Secrets tells each registry's webhook secret.
	Secrets hook.Secrets
	// BodyLimit is the largest body in bytes; 0: 2 MiB.
	BodyLimit int64
	// ReadTimeout is how long a sender may take for a whole request; 0: 10 s.
	ReadTimeout time.Duration
	// Concurrency bounds the deliveries in hand, and so the memory for their
	// bodies; 0: 64. More wait a second and are then told to come again.
	Concurrency int
	// Grace is how long deliveries in hand may go on after the service was
	// told to stop; 0: 5 s.
	Grace time.Duration
}

func (c Config) withDefaults() Config {
	const (
		bodyLimit   = 2 << 20
		readTimeout = 10 * time.Second
		concurrency = 64
		grace       = 5 * time.Second
	)
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	if c.BodyLimit <= 0 {
		c.BodyLimit = bodyLimit
	}
	if c.ReadTimeout <= 0 {
		c.ReadTimeout = readTimeout
	}
	if c.Concurrency <= 0 {
		c.Concurrency = concurrency
	}
	if c.Grace <= 0 {
		c.Grace = grace
	}
	return c
}

const defaultListen = "127.0.0.1:8081"

// ConfigFromEnv reads the service's environment variables. All that is wrong
// with them is in the error.
func ConfigFromEnv(env app.Env) (Config, error) {
	v := app.Read(env)
	cfg := Config{
		Bus:    v.Bus("ingest"),
		File:   v.String("LANDWAITER_CONFIG", ""),
		Listen: v.Addr("LANDWAITER_INGEST", defaultListen),
		Admin:  v.Addr("LANDWAITER_ADMIN", ""),
	}
	cfg.Secrets = v.Webhooks()
	return cfg, v.Err()
}
