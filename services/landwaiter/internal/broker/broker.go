// Package broker runs a NATS server with JetStream inside this process, for an
// installation that needs nothing else.
package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
)

const (
	// memory is for followers' consumers alone: all streams are files.
	memory = 64 << 20
	// startTimeout leaves time to read what a killed process left behind.
	startTimeout = time.Minute
)

// Broker is a running server that listens on no port.
type Broker struct{ server *server.Server }

// Start runs a server that keeps its files in dir, which must be this process's
// alone. What it has confirmed is on the disk. It leaves a gibibyte of the disk
// free.
func Start(dir string, log *zap.Logger) (*Broker, error) {
	room, err := room(dir)
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "landwaiter", DontListen: true, NoSigs: true,
		JetStream: true, StoreDir: dir, SyncAlways: true,
		JetStreamMaxMemory: memory, JetStreamMaxStore: room,
	})
	if err != nil {
		return nil, fmt.Errorf("configure broker: %w", err)
	}
	s.SetLoggerV2(logger{log.Named("broker").WithOptions(zap.WithCaller(false)).Sugar()}, false, false, false)
	s.Start()
	b := &Broker{server: s}
	if !s.ReadyForConnections(startTimeout) {
		b.Stop()
		return nil, fmt.Errorf("start broker in %s: not ready within %s", dir, startTimeout)
	}
	if !s.JetStreamEnabled() {
		b.Stop()
		return nil, errors.New("start broker: its store could not be opened; the log says why")
	}
	return b, nil
}

// Connection is how a client in this process reaches the server.
func (b *Broker) Connection() []nats.Option { return []nats.Option{nats.InProcessServer(b.server)} }

// Stop ends the server. Its clients must have gone before.
func (b *Broker) Stop() {
	b.server.Shutdown()
	b.server.WaitForShutdown()
}
