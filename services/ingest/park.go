package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// park keeps an authentic body that is not of the expected format on the DEAD
// stream, for whoever configured the registry to look at. It is kept once
// however often it is sent again, and cut where it is larger than an event may
// be: it is evidence, nothing replays it.
func (r *receiver) park(ctx context.Context, d delivery, format string, reason error) error {
	const patience = 3 * time.Second
	sum := sha256.Sum256(d.body)
	msg := nats.NewMsg(r.bus.Topology().DeadSubject(events.Registry))
	msg.Data = d.body[:min(len(d.body), events.MaxData)]
	msg.Header.Set(bus.HeaderDeadReason, "webhook of registry "+d.endpoint.name+" not understood as "+format+": "+oneLine(reason.Error()))
	msg.Header.Set(bus.HeaderDeadConsumer, "ingest")
	msg.Header.Set(events.HeaderMessageID, "dead/ingest/"+d.endpoint.name+"/"+hex.EncodeToString(sum[:]))
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return r.bus.Fail().Around(failpoint.DeadPublish, func() error {
		if _, err := r.bus.JetStream().PublishMsg(ctx, msg); err != nil {
			return fmt.Errorf("publish dead letter: %w", err)
		}
		return nil
	})
}

// oneLine makes a reason fit for a header.
func oneLine(s string) string {
	const most = 512
	s = strings.ToValidUTF8(s[:min(len(s), most)], "")
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
}
