package assess

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

// Verdict is a report, encoded, and the database it was made with.
type Verdict struct {
	Report   verdict.Report
	Database verdict.Database // zero: there was none
	Object   events.Digest    // of the report

	raw  []byte
	keys []byte
}

// Make compares an inventory with the database in use. The same inventory and
// database give the same verdict, byte for byte.
func (d *Databases) Make(s Subject, img inventory.Image) (Verdict, error) {
	v := Verdict{keys: match.Keys(img).Pack()}
	d.With(func(db *advisory.DB) {
		v.Report = Report(db, s, img)
		if db != nil {
			v.Database = db.Version()
		}
	})
	var err error
	if v.raw, err = json.Marshal(v.Report); err != nil {
		return Verdict{}, fmt.Errorf("encode report of %s: %w", s.Digest, err)
	}
	if len(v.raw) > MaxReport {
		return Verdict{}, fmt.Errorf("encode report of %s: %d bytes, over the limit of %d", s.Digest, len(v.raw), MaxReport)
	}
	v.Object = state.DigestOf(v.raw)
	return v, nil
}

// Store puts the report into the object store.
func (v Verdict) Store(ctx context.Context, st *state.Store, p failpoint.Point) error {
	_, err := st.Reports.Put(ctx, p, v.raw)
	return err
}

// Commit makes it the image's verdict.
func (v Verdict) Commit(img *state.Image, now time.Time) {
	if img.Report != v.Object {
		img.Report = v.Object
		img.Verdict++
	}
	img.Keys = v.keys
	img.Database, img.DatabaseAt, img.MatchedAt = v.Database.Version, v.Database.UpdatedAt, time.Time{}
	if img.Database != "" {
		img.MatchedAt = now.UTC()
	}
	img.Summary, img.Completeness, img.Status = v.Report.Summary, Codes(v.Report.Completeness), v.Report.Status
}
