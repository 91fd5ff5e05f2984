package assess

import (
	"context"
	"sync"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

// Renewal finds the verdicts that a new database leaves as they are, though it
// says something else about packages of theirs: of other versions, mostly. It
// asks both databases about such a package once for all images that have it.
type Renewal struct {
	State     *state.Store
	Databases *Databases
	// Inventories reads what is stored.
	Inventories *inventory.Decoder
	Log         *zap.Logger

	mu     sync.Mutex
	of     pair
	older  *advisory.DB // that was replaced; nil: not at hand
	answer map[uint64]answer
}

// pair is a database and the one it replaced, by their versions.
type pair struct{ version, before string }

// answer is what became of the answer to a query.
type answer uint8

const (
	unknown answer = iota
	same
	another
)

// mostAnswers is how many are remembered: some megabytes of them.
const mostAnswers = 1 << 18

// Holds tells whether an image's verdict, which is of the database that the
// current one replaced, holds for that too. changed are the names of packages
// that it may answer otherwise about. What cannot be found out may be another.
func (r *Renewal) Holds(ctx context.Context, current state.Database, img state.Image, changed advisory.Keys) bool {
	queries, known := changed.Touched(img.Keys)
	if !known || len(queries) == 0 {
		return known
	}
	// One image at a time: the next one mostly asks what this one did.
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin(current)
	answered := r.answered(queries)
	if answered == unknown && r.older != nil {
		r.learn(ctx, img.Inventory, queries)
		answered = r.answered(queries)
	}
	return answered == same
}

// begin opens the database that was replaced, if it is still here. It needs
// the lock.
func (r *Renewal) begin(current state.Database) {
	next := pair{current.Version, current.Before}
	if r.of == next {
		return
	}
	r.close()
	r.of, r.answer = next, map[uint64]answer{}
	var err error
	if r.older, err = r.Databases.openReplaced(next); err != nil {
		r.Log.Info("database before the current one is not here, verdicts on what it changes are all made again", zap.Error(err))
	}
}

// answered tells what became of all answers together.
func (r *Renewal) answered(queries []uint64) answer {
	all := same
	for _, q := range queries {
		switch r.answer[q] {
		case another:
			return another
		case unknown:
			all = unknown
		case same:
		}
	}
	return all
}

// learn compares the answers to an image's queries. What it cannot read is for
// whoever makes the verdict to complain about.
func (r *Renewal) learn(ctx context.Context, object events.Digest, queries []uint64) {
	raw, err := r.State.Inventories.Get(ctx, object, inventory.MaxEncoded)
	if err != nil {
		return
	}
	img, err := r.Inventories.Image(raw)
	if err != nil {
		return
	}
	wanted := make(map[uint64]bool, len(queries))
	for _, q := range queries {
		wanted[q] = r.answer[q] == unknown
	}
	r.Databases.With(func(newer *advisory.DB) {
		if newer == nil || newer.Version().Version != r.of.version {
			return
		}
		for q := range match.Queries(img) {
			hash := advisory.LookupOf(q).Query
			if !wanted[hash] {
				continue
			}
			wanted[hash] = false
			r.remember(hash, match.Same(r.older, newer, q))
		}
	})
}

func (r *Renewal) remember(hash uint64, isSame bool) {
	if len(r.answer) >= mostAnswers {
		clear(r.answer)
	}
	r.answer[hash] = another
	if isSame {
		r.answer[hash] = same
	}
}

// End lets go of the database that a version replaced, until another one does.
func (r *Renewal) End(version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.close()
	r.answer = map[uint64]answer{}
	r.Databases.discard(version)
}

// Close lets go of what is open.
func (r *Renewal) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.close()
}

// close needs the lock.
func (r *Renewal) close() {
	if r.older == nil {
		return
	}
	if err := r.older.Close(); err != nil {
		r.Log.Warn("database before the current one not closed", zap.Error(err))
	}
	r.older = nil
}
