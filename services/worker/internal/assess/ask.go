package assess

import (
	"context"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// Ask publishes the wish for an image's verdict to be made again with a
// database. The same wish for the same reason is one.
func Ask(ctx context.Context, b *bus.Bus, d events.Digest, version, reason string) error {
	e, err := events.New(events.VerdictRequested{Digest: d, Database: version}, events.Meta{
		ID: "rematch/" + d.Token() + "/" + version + "/" + reason, Source: "worker", Time: time.Now(),
	})
	if err != nil {
		return err
	}
	return b.Publish(ctx, failpoint.RematchPublish, e)
}
