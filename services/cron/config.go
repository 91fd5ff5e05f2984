// Package cron publishes the sweeps that are due. Any number of replicas may
// run: every one publishes what it finds due, the sweep's record, made under
// the name of rule and due time by whoever handles the message, makes it run
// once.
package cron

import (
	"time"

	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/bus"
)

// Config is everything the service is told.
type Config struct {
	// Bus reaches the broker.
	Bus bus.Options
	// File is the configuration file; blank: the state has what is needed.
	File string
	// Admin is the address of /livez, /readyz and /metrics; blank: none.
	Admin string
	// Interval is how often it looks for due sweeps, beside each change of a
	// rule; 0: 10 s.
	Interval time.Duration
	// Now is the clock; nil: the machine's.
	Now func() time.Time
}

const defaultInterval = 10 * time.Second

func (c Config) withDefaults() Config {
	if c.Interval <= 0 {
		c.Interval = defaultInterval
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// ConfigFromEnv reads the service's environment variables. All that is wrong
// with them is in the error.
func ConfigFromEnv(env app.Env) (Config, error) {
	v := app.Read(env)
	cfg := Config{
		Bus:      v.Bus("cron"),
		File:     v.String("LANDWAITER_CONFIG", ""),
		Admin:    v.Addr("LANDWAITER_ADMIN", ""),
		Interval: v.Duration("LANDWAITER_CRON_INTERVAL", defaultInterval),
	}
	return cfg, v.Err()
}
