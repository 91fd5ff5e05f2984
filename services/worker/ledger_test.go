package worker

import (
	"context"
	"fmt"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// The ledger tells what was read, what reading every image whole would have
// taken, and which scans were not needed.
func TestLedger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	base, own := zlib(t, "1:1.2.13-1"), files(t, map[string]string{"app": "2"})
	first := r.scanned("team/app", "1.0", image(t, base))
	r.scanned("team/app", "2.0", image(t, base, own))
	r.pushed("team/app", "1.0", first)
	size := func(l interface{ Size() (int64, error) }) int64 {
		n, err := l.Size()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	want := state.Ledger{
		Trust: config.DefaultTrust, LayersRead: 2, BytesRead: size(base) + size(own),
		LayersNeeded: 3, BytesNeeded: 2*size(base) + size(own), ScansSaved: 1,
	}
	r.until("the ledger", func(ctx context.Context) error {
		rec, err := r.state.Ledger.Get(ctx, config.DefaultTrust)
		if err == nil && rec.Value != want {
			err = fmt.Errorf("got %+v, want %+v", rec.Value, want)
		}
		return err
	})
}
