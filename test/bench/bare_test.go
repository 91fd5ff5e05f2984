package bench

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// bare is the least that can take a webhook: it reads the body, publishes and
// answers when the broker has confirmed. What it publishes are the bytes that
// ingest stored of such a delivery, under an id of its own. Its argument is the
// broker's address.
func bare(args []string, out io.Writer) error {
	conn, err := nats.Connect(args[0])
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	stored, err := lastStored(ctx, js)
	if err != nil {
		return err
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = js.PublishMsg(r.Context(), renamed(stored))
		}
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer srv.Close()
	if _, err := fmt.Fprintln(out, srv.URL); err != nil {
		return fmt.Errorf("tell address: %w", err)
	}
	<-ctx.Done()
	return nil
}

// lastStored is the newest event of a registry in the broker.
func lastStored(ctx context.Context, js jetstream.JetStream) (*jetstream.RawStreamMsg, error) {
	const events = "landwaiter.registry.>"
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	name, err := js.StreamNameBySubject(ctx, events)
	if err != nil {
		return nil, fmt.Errorf("stream of %s: %w", events, err)
	}
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	m, err := stream.GetLastMsgForSubject(ctx, events)
	if err != nil {
		return nil, fmt.Errorf("last message of %s: %w", name, err)
	}
	return m, nil
}

// renamed is the message as another fact.
func renamed(m *jetstream.RawStreamMsg) *nats.Msg {
	header, id := maps.Clone(m.Header), nuid.Next()
	header["Nats-Msg-Id"], header["ce-id"] = []string{id}, []string{id}
	return &nats.Msg{Subject: m.Subject, Header: header, Data: m.Data}
}
