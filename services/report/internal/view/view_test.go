package view_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
