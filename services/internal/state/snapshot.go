package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// snapshotBytes is the most that one is asked for.
	snapshotBytes = 4 << 20
	// snapshotMost is the most messages that the broker answers with, and the
	// one that ends them.
	snapshotMost = 1024 + 1
)

// errNoSnapshot is for an answer that cannot be used: too many records, or
// fewer than there are. They are to be listed one batch after the other.
var errNoSnapshot = errors.New("no snapshot")

// snapshot returns what the stream holds under a filter from a place on, each
// subject once and all as they were at one moment. It is one question, which
// takes the broker a fraction of what a consumer does. Protocol: NATS ADR-31,
// batched direct get.
func (s source) snapshot(ctx context.Context, subjects string, from uint64) ([]message, error) {
	if !s.conn.IsConnected() {
		return nil, errBrokerGone
	}
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	var least uint64
	if s.replicated { // whoever answers may lag behind the leader
		info, err := s.messages.Info(ctx)
		if err != nil {
			return nil, err
		}
		least = max(info.State.LastSeq, 1)
	}
	stream := s.messages.CachedInfo().Config.Name
	question, err := json.Marshal(map[string]any{"multi_last": []string{subjects}, "seq": from, "max_bytes": snapshotBytes})
	if err != nil {
		return nil, err
	}
	inbox, answers := s.conn.NewInbox(), make(chan *nats.Msg, snapshotMost)
	subscription, err := s.conn.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, err
	}
	defer func() { _ = subscription.Unsubscribe() }() // fails only where the connection is gone, and it with it
	if err := s.conn.PublishRequest(jetstream.DefaultAPIPrefix+"DIRECT.GET."+stream, inbox, question); err != nil {
		return nil, err
	}
	var list []message
	var last uint64
	for {
		var m *nats.Msg
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case m = <-answers:
		}
		if m.Header.Get("Status") != "" {
			return list, ended(m.Header, last, least)
		}
		got, err := directly(m, last)
		if err != nil {
			return nil, err
		}
		list, last = append(list, got), got.sequence
	}
}

// ended tells whether the answer that ends a snapshot says that it is whole and
// nothing of it was lost on the way, and that it is not older than least.
func ended(h nats.Header, last, least uint64) error {
	switch status := h.Get("Status"); {
	case status == "404" && h.Get("Description") == "No Results" && last == 0 && least == 0:
		return nil
	case status != "204":
		return fmt.Errorf("%w: %s %s", errNoSnapshot, status, h.Get("Description"))
	case number(h, "Nats-Num-Pending") != 0 || number(h, "Nats-Last-Sequence") != last:
		return fmt.Errorf("%w: it is not whole", errNoSnapshot)
	case number(h, "Nats-UpTo-Sequence") < least:
		return fmt.Errorf("%w: the replica lags behind", errNoSnapshot)
	default:
		return nil
	}
}

// directly reads a message of a snapshot, which names the one before it.
func directly(m *nats.Msg, before uint64) (message, error) {
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	got := message{
		subject: m.Header.Get(jetstream.SubjectHeader), headers: m.Header, data: m.Data,
		sequence: number(m.Header, jetstream.SequenceHeader), at: at,
	}
	if err != nil || got.subject == "" || got.sequence == 0 || number(m.Header, "Nats-Last-Sequence") != before {
		return message{}, fmt.Errorf("%w: a message is out of its place", errNoSnapshot)
	}
	return got, nil
}

// number is 0 where there is none.
func number(h nats.Header, key string) uint64 {
	n, err := strconv.ParseUint(h.Get(key), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
