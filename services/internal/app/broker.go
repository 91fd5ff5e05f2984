package app

import (
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// Bus reads how a service reaches the broker: LANDWAITER_NATS,
// LANDWAITER_NATS_CREDENTIALS, LANDWAITER_NATS_SYNC, LANDWAITER_PREFIX,
// LANDWAITER_RESULTS_AGE, LANDWAITER_REPLICAS, and for crash tests
// LANDWAITER_FAILPOINT.
func (v *Variables) Bus(service string) bus.Options {
	o := bus.Options{
		URL:         v.servers("LANDWAITER_NATS", "nats://127.0.0.1:4222"),
		Service:     service,
		Credentials: v.String("LANDWAITER_NATS_CREDENTIALS", ""),
		Replicas:    v.Int("LANDWAITER_REPLICAS", 1, 1),
		Topology: events.Topology{
			Prefix:     v.String("LANDWAITER_PREFIX", ""),
			ResultsAge: v.Duration("LANDWAITER_RESULTS_AGE", 0),
		},
		Fail: v.failpoint(),
		Log:  v.env.Log,
	}
	switch sync := v.String("LANDWAITER_NATS_SYNC", ""); sync {
	case "":
	case "always":
		o.SharedSync = true
	default:
		v.mistake("LANDWAITER_NATS_SYNC", "%q is not always, the one value beside none", sync)
	}
	if err := o.Topology.Validate(); err != nil {
		v.mistake("LANDWAITER_PREFIX", "%w", err)
	}
	return o
}

// servers reads the addresses of a broker. What is wrong with them is told
// without them: they may hold a password.
func (v *Variables) servers(name, fallback string) string {
	s := v.String(name, fallback)
	for server := range strings.SplitSeq(s, ",") {
		if server = strings.TrimSpace(server); !strings.Contains(server, "://") {
			server = "nats://" + server // as the library has it
		}
		u, err := url.Parse(server)
		if err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			v.mistake(name, "not nats://host:port, nor several of them separated by commas (in a password write / as %%2F, : as %%3A, @ as %%40)")
			break
		}
	}
	return s
}

func (v *Variables) failpoint() failpoint.Hook {
	spec := v.get("LANDWAITER_FAILPOINT")
	if spec == "" {
		return nil
	}
	hook, err := failpoint.Arm(spec, die)
	if err != nil {
		v.mistake("LANDWAITER_FAILPOINT", "%w", err)
	}
	return hook
}

// die ends the process as a crash would: nothing is flushed, closed or told.
func die() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill() // there is nothing else to do where it fails
	}
	select {}
}
