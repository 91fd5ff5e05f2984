package state_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// consumersMade counts those that the broker makes from now on.
func consumersMade(t *testing.T, s *natstest.Server) (made func() int) {
	t.Helper()
	c, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	told, err := c.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.CREATED.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	return func() int {
		t.Helper()
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		n, _, err := told.Pending()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// Few records come with one question, many or large ones batch after batch by a
// consumer: either way all of them and nothing else.
func TestFewRecordsAreOneQuestion(t *testing.T) {
	for _, tt := range []struct {
		name        string
		few, others int
		size        int // of each record's id
		asked       bool
	}{
		{"none", 0, 3, 1, true},
		{"one", 1, 0, 1, true},
		{"the most", 1023, 0, 1, true},
		{"one too many", 1024, 0, 1, false},
		{"few among many", 7, 1100, 1, true},
		{"few and large", 9, 3, 600 << 10, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, st := start(t)
			var writers errgroup.Group
			writers.SetLimit(32)
			want := []string{} // the mark of a removal counts as one more // the mark of a removal counts as one more
			for n := range tt.few + tt.others {
				key := "few." + strconv.Itoa(n)
				if n >= tt.few {
					key = "others." + strconv.Itoa(n)
				} else {
					want = append(want, key)
				}
				writers.Go(func() error {
					_, err := st.Requests.Create(t.Context(), point, key, request(strings.Repeat("x", tt.size)))
					return err
				})
			}
			gone, err := st.Requests.Create(t.Context(), point, "few.gone", request("x"))
			if err == nil {
				err = st.Requests.Delete(t.Context(), point, gone)
			}
			if err := errors.Join(writers.Wait(), err); err != nil {
				t.Fatal(err)
			}
			made := consumersMade(t, s)
			list, err := st.Requests.List(t.Context(), "few.*")
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, r := range list {
				seen[r.Key] = true
				if len(r.Value.ID) != tt.size || r.Revision == 0 {
					t.Errorf("%s at %d with %d bytes", r.Key, r.Revision, len(r.Value.ID))
				}
			}
			slices.Sort(want)
			if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) || len(list) != len(want) {
				t.Errorf("%d records, %d keys, want %d", len(list), len(got), len(want))
			}
			until(t, "what the broker made is told", func() bool { return (made() == 0) == tt.asked })
		})
	}
}

// Two records are written in turns, one after the other. At any one moment they
// are at most one step apart; a list that reads them at different moments sees
// more than that sooner or later.
func TestFewRecordsAreOfOneMoment(t *testing.T) {
	_, st := start(t)
	for _, key := range []string{"pair.a", "pair.b"} {
		if _, err := st.Requests.Create(t.Context(), point, key, state.Request{Reference: "0"}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var writer errgroup.Group
	writer.Go(func() error {
		for n := 1; ctx.Err() == nil; n++ {
			for _, key := range []string{"pair.a", "pair.b"} {
				_, err := st.Requests.Change(ctx, point, key, func(r *state.Request, _ bool) error {
					r.Reference = strconv.Itoa(n)
					return nil
				})
				if err != nil && ctx.Err() == nil {
					return err
				}
			}
		}
		return nil
	})
	for range 300 {
		at := map[string]int{}
		err := st.Requests.All(t.Context(), "pair.*", func(r state.Record[state.Request]) error {
			if _, twice := at[r.Key]; twice {
				return fmt.Errorf("%s came twice", r.Key)
			}
			var err error
			at[r.Key], err = strconv.Atoi(r.Value.Reference)
			return err
		})
		if apart := at["pair.a"] - at["pair.b"]; err != nil || len(at) != 2 || apart < 0 || apart > 1 {
			t.Errorf("%v: %v", at, err)
		}
	}
	cancel()
	if err := writer.Wait(); err != nil {
		t.Fatal(err)
	}
}
