// Package ledger keeps account of what sharing layers and knowing images
// saved: how much was read, how much reading every image whole would have
// taken, and how many scans were not needed.
package ledger

import (
	"context"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Book adds entries to the ledger of a trust group. It only informs: what
// cannot be written is logged, and a crash at the wrong moment may leave an
// entry out or enter it twice.
type Book struct {
	State *state.Store
	Log   *zap.Logger
}

// Read enters a layer that was read from a registry.
func (b Book) Read(ctx context.Context, trust string, bytes int64) {
	b.add(ctx, failpoint.LedgerRead, trust, func(l *state.Ledger) { l.LayersRead++; l.BytesRead += bytes })
}

// Needed enters the layers that a scanned image has.
func (b Book) Needed(ctx context.Context, trust string, layers int, bytes int64) {
	b.add(ctx, failpoint.LedgerNeeded, trust, func(l *state.Ledger) { l.LayersNeeded += int64(layers); l.BytesNeeded += bytes })
}

// Known enters a wish for a scan that needed none.
func (b Book) Known(ctx context.Context, trust string) {
	b.add(ctx, failpoint.LedgerKnown, trust, func(l *state.Ledger) { l.ScansSaved++ })
}

func (b Book) add(ctx context.Context, p failpoint.Point, trust string, enter func(*state.Ledger)) {
	_, err := b.State.Ledger.Change(ctx, p, trust, func(l *state.Ledger, _ bool) error {
		l.Trust = trust
		enter(l)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		b.Log.Warn("ledger not kept", zap.String("trust", trust), zap.Error(err))
	}
}
