package view_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// TestWritersOfOneImage lets many writers at one image: what stands at the end
// is the newest state that any of them read, however they overtake each other,
// and nothing of the older ones is left in the indexes.
func TestWritersOfOneImage(t *testing.T) {
	v := view.New(redistest.Start(t).Client(), view.DefaultPrefix, nil)
	d := state.DigestOf([]byte("image"))
	seen := time.Now()
	var truth atomic.Int64
	//nolint:unparam // the view asks for an error
	picture := func(events.Digest) (view.Picture, error) {
		n := truth.Load()
		if n%7 == 6 {
			return view.Picture{}, nil // it is gone for a moment
		}
		return view.Picture{
			Image: view.Image{Digest: d},
			Entries: []view.Entry{{Safety: time.Hour, Place: view.Place{
				ID: view.PlaceID("place", seen), Digest: d, Registry: "hub", Repository: "app", Tags: []string{fmt.Sprint("t", n)}, FirstSeen: seen,
			}}},
			Packages: []string{fmt.Sprint("p", n)},
		}, nil
	}
	const writers, rounds = 4, 50
	var wait sync.WaitGroup
	for range writers {
		wait.Go(func() {
			for range rounds {
				truth.Add(1)
				if err := v.Update(t.Context(), d, false, picture); err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wait.Wait()
	last := truth.Load()
	for n := range last + 1 {
		want := 0
		if n == last && n%7 != 6 {
			want = 1
		}
		for _, q := range []view.Query{{Tag: fmt.Sprint("t", n), Limit: 1}, {Package: fmt.Sprint("p", n), Limit: 1}} {
			page, err := v.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Places) != want {
				t.Fatalf("%d places after change %d of %d, want %d: %+v", len(page.Places), n, last, want, q)
			}
		}
	}
}

// failing answers one question for index entries with an error, as a store does
// that is away for a moment.
type failing struct{ once sync.Once }

var errAway = errors.New("away for a moment")

func (f *failing) DialHook(next redis.DialHook) redis.DialHook { return next }

func (f *failing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (f *failing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) (err error) {
		if strings.Contains(cmd.String(), ":members:") {
			f.once.Do(func() { err = errAway; cmd.SetErr(err) })
		}
		if err != nil {
			return err
		}
		return next(ctx, cmd)
	}
}

// What an image was found by before must be known to be taken out: an update
// that cannot read it fails, to be done again.
func TestUpdateWhileTheStoreIsAway(t *testing.T) {
	client := redistest.Start(t).Client()
	v := view.New(client, view.DefaultPrefix, nil)
	d, seen := state.DigestOf([]byte("image")), time.Now()
	update := func(name string) error {
		return v.Update(t.Context(), d, false, func(events.Digest) (view.Picture, error) {
			return view.Picture{
				Image:    view.Image{Digest: d},
				Entries:  []view.Entry{{Safety: time.Hour, Place: view.Place{ID: view.PlaceID("place", seen), Digest: d, FirstSeen: seen}}},
				Packages: []string{name},
			}, nil
		})
	}
	if err := update("before"); err != nil {
		t.Fatal(err)
	}
	client.AddHook(&failing{})
	if err := update("after"); !errors.Is(err, errAway) {
		t.Errorf("Update = %v, want %v", err, errAway)
	}
	if err := update("after"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"before": 0, "after": 1} {
		page, err := v.List(t.Context(), view.Query{Package: name, Limit: 1})
		if err != nil || len(page.Places) != want {
			t.Errorf("%d places with package %q, want %d (%v)", len(page.Places), name, want, err)
		}
	}
}
