// Package bus carries events over NATS JetStream: it publishes with the
// broker's confirmation, consumes with a lease that is renewed while a handler
// works, and turns a handler's error into acknowledgement, retry or dead
// letter in one place.
package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// Options says how to reach the broker.
type Options struct {
	// URL is nats://host:port, several separated by commas.
	URL string
	// Service names the connection and its inbox, so that permissions can be
	// given for each service.
	Service string
	// Topology is where the streams lie.
	Topology events.Topology
	// Replicas is how many servers keep each stream; 0 means 1.
	Replicas int
	// Credentials is a NATS credentials file, where the broker asks for one.
	Credentials string
	// Extra are further connection options, such as an embedded server's
	// in-process connection.
	Extra []nats.Option
	// SharedSync says that the broker syncs to disk before it confirms
	// (sync_interval: always): many publishers at a time then share syncs.
	SharedSync bool
	// Fail is told of each write; nil in production.
	Fail failpoint.Hook
	Log  *zap.Logger
}

// Bus is a connection to the broker.
type Bus struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	topology events.Topology
	replicas int
	group    *group // nil: each publishes by itself
	fail     failpoint.Hook
	log      *zap.Logger
}

// publishTimeout bounds the wait for one confirmation: senders of webhooks
// wait a second at most.
const publishTimeout = 3 * time.Second

// Connect reaches the broker and creates or updates the installation's streams
// and consumers. It waits for a broker that is not there yet until ctx ends.
func Connect(ctx context.Context, o Options) (*Bus, error) {
	b := &Bus{topology: o.Topology, replicas: max(o.Replicas, 1), fail: o.Fail, log: o.Log.Named("bus")}
	nc, err := dial(ctx, o, b.options(o))
	if err != nil {
		return nil, err
	}
	b.nc = nc
	if o.SharedSync {
		b.group = &group{b: b}
	}
	if b.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(publishTimeout)); err != nil {
		nc.Close()
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	if err := retry(ctx, b.log, func() error { return b.provision(ctx) }); err != nil {
		nc.Close()
		return nil, err
	}
	return b, nil
}

func (b *Bus) options(o Options) []nats.Option {
	opts := []nats.Option{
		nats.Name("landwaiter-" + o.Service),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 200*time.Millisecond),
		// No buffer while the broker is away: a publish then fails at once,
		// and whoever asked for it hears the truth.
		nats.ReconnectBufSize(-1),
		nats.CustomInboxPrefix("_INBOX_" + o.Service),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			fields := []zap.Field{zap.Error(err)}
			if s != nil {
				fields = append(fields, zap.String("subject", s.Subject))
			}
			b.log.Warn("broker complaint", fields...)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // else it was Close
				b.log.Warn("broker gone", zap.Error(err))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { b.log.Info("broker back") }),
	}
	if o.Credentials != "" {
		opts = append(opts, nats.UserCredentials(o.Credentials))
	}
	return append(opts, o.Extra...)
}

func dial(ctx context.Context, o Options, opts []nats.Option) (*nats.Conn, error) {
	var nc *nats.Conn
	err := retry(ctx, o.Log, func() error {
		var err error
		nc, err = nats.Connect(o.URL, opts...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("connect to broker: %w", err)
	}
	return nc, nil
}

// retry calls do until it works or ctx ends. A failure that lasts is logged
// again each minute: it may be a mistake in the configuration.
func retry(ctx context.Context, log *zap.Logger, do func() error) error {
	const pause = 500 * time.Millisecond
	var said complaint
	for {
		err := do()
		if err == nil {
			return nil
		}
		if said.due(err, time.Now()) {
			log.Warn("broker not ready, waiting for it", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// Close ends the connection. Consumers must have returned before.
func (b *Bus) Close() { b.nc.Close() }

// Connected reports whether the broker is there now.
func (b *Bus) Connected() bool { return b.nc.IsConnected() }

// JetStream is the broker's interface, for the state that lives beside the
// streams.
func (b *Bus) JetStream() jetstream.JetStream { return b.js }

// Topology is where the streams lie.
func (b *Bus) Topology() events.Topology { return b.topology }

// Replicas is how many servers keep each stream and bucket.
func (b *Bus) Replicas() int { return b.replicas }

// Fail is the hook that is told of each write.
func (b *Bus) Fail() failpoint.Hook { return b.fail }

// Publish stores e in its stream and returns once the broker confirmed it.
// After an error the event may be stored or not: publish it again under the
// same id.
func (b *Bus) Publish(ctx context.Context, p failpoint.Point, e events.Event) error {
	m := b.topology.Encode(e)
	return b.fail.Around(p, func() error {
		ctx, cancel := context.WithTimeout(ctx, publishTimeout)
		defer cancel()
		msg := &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}
		if err := b.publish(ctx, e, msg); err != nil {
			return fmt.Errorf("publish %s %s: %w", e.Kind(), e.ID(), Failed(err))
		}
		return nil
	})
}

// publish shares syncs where that is wanted. Only registry events come from so
// many publishers at a time, and a batch cannot span streams.
func (b *Bus) publish(ctx context.Context, e events.Event, m *nats.Msg) error {
	if _, fact := e.Data().(events.RegistryEvent); fact && b.group != nil {
		return b.group.publish(ctx, m)
	}
	return b.confirmed(ctx, m)
}

// confirmed publishes m and returns once the broker has it. An answer that begins
// with the stream is a yes: an error would stand before it. To decode that costs
// almost as much as to ask; where the answer is any other, the library asks again
// and says what is wrong. A message has an id, so it is stored once all the same.
func (b *Bus) confirmed(ctx context.Context, m *nats.Msg) error {
	answer, err := b.nc.RequestMsgWithContext(ctx, m)
	if err == nil && bytes.HasPrefix(answer.Data, []byte(`{"stream":"`)) {
		return nil
	}
	if err != nil && !errors.Is(err, nats.ErrNoResponders) {
		return err
	}
	_, err = b.js.PublishMsg(ctx, m)
	return err
}
