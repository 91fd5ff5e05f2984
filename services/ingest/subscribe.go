package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// subscriptions reads what registries publish to NATS subjects of theirs, each
// registry for as long as it is configured so. A registry that is away, or a
// server that refuses us, keeps no other from being read.
func (r *receiver) subscriptions(ctx context.Context) error {
	running := map[string]subscription{}
	var all sync.WaitGroup
	defer all.Wait()
	for {
		wanted := r.directory.subscriptions()
		for name, s := range running {
			if wanted[name] != s.to {
				s.stop()
				delete(running, name)
			}
		}
		for name, to := range wanted {
			if _, is := running[name]; is {
				continue
			}
			ctx, stop := context.WithCancel(ctx)
			running[name] = subscription{to, stop}
			all.Go(func() { r.subscribe(ctx, name, to) })
		}
		select {
		case <-ctx.Done():
			for _, s := range running {
				s.stop()
			}
			return nil
		case <-r.directory.changed:
		}
	}
}

// subscription is one that is being read.
type subscription struct {
	to   config.WebhookNATS
	stop context.CancelFunc
}

// subscribe reads until ctx ends, whatever happens meanwhile.
func (r *receiver) subscribe(ctx context.Context, name string, to config.WebhookNATS) {
	const pause = 5 * time.Second
	log := r.log.With(zap.String("registry", name), zap.String("subject", to.Subject))
	for ctx.Err() == nil {
		if err := r.readSubject(ctx, name, to, log); err != nil && ctx.Err() == nil {
			log.Error("subject not read, trying again", zap.Error(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (r *receiver) readSubject(ctx context.Context, name string, to config.WebhookNATS, log *zap.Logger) error {
	opts := []nats.Option{nats.Name("landwaiter-ingest"), nats.MaxReconnects(-1)}
	if to.Credentials != "" {
		opts = append(opts, nats.UserCredentials(to.Credentials))
	}
	nc, err := nats.Connect(to.URL, opts...)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", to.URL, err)
	}
	defer nc.Close()
	if to.Stream == "" {
		return r.readPassing(ctx, nc, name, to)
	}
	log.Info("subject read from its stream", zap.String("stream", to.Stream))
	return r.readStream(ctx, nc, name, to)
}

// readPassing takes messages as they pass. Replicas share them; what passes
// while all are away, or the broker is, is lost: a stream prevents that.
func (r *receiver) readPassing(ctx context.Context, nc *nats.Conn, name string, to config.WebhookNATS) error {
	sub, err := nc.QueueSubscribeSync(to.Subject, "landwaiter")
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return err
		}
		for r.heard(ctx, name, m.Data) != nil { // the registry does not send it again
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
		}
	}
}

// readStream takes messages from a stream, and acknowledges them once they are
// stored here.
func (r *receiver) readStream(ctx context.Context, nc *nats.Conn, name string, to config.WebhookNATS) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	cons, err := js.CreateOrUpdateConsumer(ctx, to.Stream, jetstream.ConsumerConfig{
		Durable: "landwaiter-" + name, FilterSubject: to.Subject, AckPolicy: jetstream.AckExplicitPolicy, MaxDeliver: -1,
	})
	if err != nil {
		return fmt.Errorf("consumer of stream %s: %w", to.Stream, err)
	}
	const batch, wait = 100, 5 * time.Second
	for ctx.Err() == nil {
		fetched, err := cons.Fetch(batch, jetstream.FetchMaxWait(wait))
		if err != nil {
			return fmt.Errorf("read stream %s: %w", to.Stream, err)
		}
		for m := range fetched.Messages() {
			if err := r.settle(ctx, name, m); err != nil {
				return fmt.Errorf("settle a message of stream %s: %w", to.Stream, err)
			}
		}
		if err := fetched.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) {
			return fmt.Errorf("read stream %s: %w", to.Stream, err)
		}
	}
	return ctx.Err()
}

// settle acknowledges a message once what it says is stored.
func (r *receiver) settle(ctx context.Context, name string, m jetstream.Msg) error {
	if r.heard(ctx, name, m.Data()) != nil {
		return m.NakWithDelay(time.Second)
	}
	return m.DoubleAck(ctx)
}

// heard stores what a message says; it is a CloudEvent in structured mode, as
// if it had been posted. One that is too large to be one is dropped.
func (r *receiver) heard(ctx context.Context, name string, body []byte) error {
	e := r.directory.find(name)
	if e.name != name || e.off || int64(len(body)) > e.bodyLimit {
		r.log.Warn("message of a registry dropped", zap.String("registry", name), zap.Int("bytes", len(body)))
		return nil
	}
	d := delivery{endpoint: e, header: http.Header{"Content-Type": {"application/cloudevents+json"}}, body: body, at: r.now().UTC()}
	o, err := r.take(ctx, d)
	if err != nil {
		r.log.Error("message of a registry not stored", zap.String("registry", name), zap.Error(err))
		return err
	}
	r.count(e, o)
	return nil
}
