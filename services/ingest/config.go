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
	// TLS is how it proves itself; zero: plain HTTP, on this machine alone
	// unless PlainHTTP is set.
	TLS       TLS
	PlainHTTP bool
	// BodyLimit is the largest body in bytes; 0: 2 MiB, and more for registries
	// whose events are larger by nature (ghcr 25 MiB; zot, oci and cloudevents 8).
	BodyLimit int64
	// Memory bounds the bodies in hand, in bytes, twice over: those of senders
	// that are known, and of those that have to prove it by the body. 0: 64 MiB.
	// A delivery waits a second for room and is then told to come again.
	Memory int64
	// Connections bounds the open ones; 0: 4096. More wait to be accepted.
	Connections int
	// PerSecond is how many deliveries a registry may send in the long run, ten
	// times as many at once, unless it says so itself; 0: 2000.
	PerSecond float64
	// ReadTimeout is how long a sender may take for a whole request; 0: 10 s.
	ReadTimeout time.Duration
	// Grace is how long deliveries in hand may go on after the service was
	// told to stop; 0: 5 s.
	Grace time.Duration
}

func (c Config) withDefaults() Config {
	const (
		readTimeout = 10 * time.Second
		memory      = 64 << 20
		connections = 4096
		perSecond   = 2000
		grace       = 5 * time.Second
	)
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	if c.ReadTimeout <= 0 {
		c.ReadTimeout = readTimeout
	}
	if c.Memory <= 0 {
		c.Memory = memory
	}
	if c.Connections <= 0 {
		c.Connections = connections
	}
	if c.PerSecond <= 0 {
		c.PerSecond = perSecond
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
	cfg.TLS = TLS{
		Cert:     v.String("LANDWAITER_INGEST_TLS_CERT", ""),
		Key:      v.String("LANDWAITER_INGEST_TLS_KEY", ""),
		ClientCA: v.String("LANDWAITER_INGEST_TLS_CLIENT_CA", ""),
	}
	cfg.PlainHTTP = v.Bool("LANDWAITER_INGEST_PLAIN_HTTP")
	cfg.PerSecond = float64(v.Int("LANDWAITER_INGEST_RATE", 0, 0))
	return cfg, v.Err()
}
