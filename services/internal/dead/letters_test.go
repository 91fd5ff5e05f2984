package dead_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/dead"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
)

// bury stores a dead letter that was on a stream.
func bury(t *testing.T, b *bus.Bus, stream events.StreamName, n int, reason string) {
	t.Helper()
	m := nats.NewMsg("landwaiter.plan.hub")
	m.Header.Set(events.HeaderMessageID, fmt.Sprintf("dead/%d", n))
	m.Header.Set("Ce-Id", fmt.Sprintf("id-%d", n))
	m.Data = []byte(strings.Repeat("x", n))
	if err := b.PublishDeadMessage(t.Context(), failpoint.DeadPublish, stream, m, reason); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, b *bus.Bus, sequences ...uint64) {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), "DEAD")
	if err != nil {
		t.Fatal(err)
	}
	for _, sequence := range sequences {
		if err := s.DeleteMsg(t.Context(), sequence); err != nil {
			t.Fatal(err)
		}
	}
}

func sequences(list []dead.Letter) []uint64 {
	out := []uint64{}
	for _, l := range list {
		out = append(out, l.Sequence)
	}
	return out
}

// stored is what is on a stream now.
func stored(t *testing.T, b *bus.Bus, stream string) []*nats.Msg {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	var all []*nats.Msg
	state := s.CachedInfo().State
	for sequence := state.FirstSeq; sequence <= state.LastSeq && state.Msgs > 0; sequence++ {
		m, err := s.GetMsg(t.Context(), sequence)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data})
	}
	return all
}

// Ten letters: the even ones of PLANS, the odd ones of SCANS, with gaps.
func crowd(t *testing.T) (*bus.Bus, dead.Letters) {
	t.Helper()
	t.Parallel()
	b := natstest.Bus(t, natstest.Start(t), "test")
	for n := 1; n <= 10; n++ {
		stream, reason := events.Plans, "registry is gone"
		if n%2 == 1 {
			stream, reason = events.Scans, "five attempts failed"
		}
		bury(t, b, stream, n, reason)
	}
	remove(t, b, 1, 4, 5, 9)
	return b, dead.New(b)
}

func TestNewest(t *testing.T) {
	_, letters := crowd(t)
	for _, tt := range []struct {
		name   string
		filter dead.Filter
		n      int
		want   [][]uint64
	}{
		{"all at once", dead.Filter{}, 100, [][]uint64{{10, 8, 7, 6, 3, 2}}},
		{"by two", dead.Filter{}, 2, [][]uint64{{10, 8}, {7, 6}, {3, 2}}},
		{"by five", dead.Filter{}, 5, [][]uint64{{10, 8, 7, 6, 3}, {2}}},
		{"of a stream", dead.Filter{Stream: events.Scans}, 1, [][]uint64{{7}, {3}}},
		{"of a stream without any", dead.Filter{Stream: events.Results}, 5, [][]uint64{{}}},
		{"by reason", dead.Filter{Contains: "attempts"}, 5, [][]uint64{{7, 3}}},
		{"by both", dead.Filter{Stream: events.Plans, Contains: "attempts"}, 5, [][]uint64{{}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before uint64
			for page, want := range tt.want {
				list, next, err := letters.Newest(t.Context(), tt.filter, before, tt.n)
				if err != nil {
					t.Fatal(err)
				}
				if got := sequences(list); !slices.Equal(got, want) {
					t.Errorf("page %d: %v, want %v", page, got, want)
				}
				if last := page == len(tt.want)-1; (next == 0) != last {
					t.Errorf("page %d goes on at %d", page, next)
				}
				before = next
			}
		})
	}
}

func TestOldest(t *testing.T) {
	b, letters := crowd(t)
	span, err := letters.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bury(t, b, events.Plans, 11, "too late for the span")
	for _, tt := range []struct {
		name   string
		filter dead.Filter
		n      int
		want   [][]uint64
	}{
		{"all at once", dead.Filter{}, 100, [][]uint64{{2, 3, 6, 7, 8, 10}}},
		{"by four", dead.Filter{}, 4, [][]uint64{{2, 3, 6, 7}, {8, 10}}},
		{"of a stream", dead.Filter{Stream: events.Scans}, 1, [][]uint64{{3}, {7}, {}}},
		{"by reason", dead.Filter{Contains: "gone"}, 3, [][]uint64{{2, 6, 8}, {10}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rest := span
			for page, want := range tt.want {
				var list []dead.Letter
				if list, rest, err = letters.Oldest(t.Context(), tt.filter, rest, tt.n); err != nil {
					t.Fatal(err)
				}
				if got := sequences(list); !slices.Equal(got, want) {
					t.Errorf("page %d: %v, want %v", page, got, want)
				}
			}
			if !rest.Empty() && tt.n != 1 {
				t.Errorf("rest is %+v", rest)
			}
		})
	}
}

// More letters than are read at a time, and a gap wider than that.
func TestManyLetters(t *testing.T) {
	t.Parallel()
	b := natstest.Bus(t, natstest.Start(t), "test")
	const n = 650
	for i := range n {
		m := nats.NewMsg("landwaiter.dead.PLANS")
		if _, err := b.JetStream().PublishMsgAsync(m); err != nil {
			t.Fatal(i, err)
		}
	}
	<-b.JetStream().PublishAsyncComplete()
	var gap []uint64
	for sequence := uint64(200); sequence < 500; sequence++ {
		gap = append(gap, sequence)
	}
	remove(t, b, gap...)
	letters := dead.New(b)
	list, next, err := letters.Newest(t.Context(), dead.Filter{}, 0, n)
	if err != nil || len(list) != n-300 || next != 0 || list[0].Sequence != n || list[n-301].Sequence != 1 {
		t.Errorf("%d letters, next %d, %v", len(list), next, err)
	}
	list, rest, err := letters.Oldest(t.Context(), dead.Filter{}, dead.Span{To: n + 1}, n)
	if err != nil || len(list) != n-300 || !rest.Empty() || list[0].Sequence != 1 || list[n-301].Sequence != n {
		t.Errorf("%d letters, rest %+v, %v", len(list), rest, err)
	}
	s, err := b.JetStream().Stream(t.Context(), "DEAD")
	if err != nil || s.CachedInfo().State.Consumers != 0 {
		t.Errorf("%d readers left behind, %v", s.CachedInfo().State.Consumers, err)
	}
}

func TestNoLetters(t *testing.T) {
	t.Parallel()
	letters := dead.New(natstest.Bus(t, natstest.Start(t), "test"))
	if list, next, err := letters.Newest(t.Context(), dead.Filter{}, 0, 10); len(list) != 0 || next != 0 || err != nil {
		t.Errorf("%v, %d, %v", list, next, err)
	}
	if span, err := letters.All(t.Context()); !span.Empty() || err != nil {
		t.Errorf("%+v, %v", span, err)
	}
	if _, err := letters.Get(t.Context(), 1); !errors.Is(err, dead.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
}

func TestReplay(t *testing.T) {
	b, letters := crowd(t)
	l, err := letters.Get(t.Context(), 6)
	if err != nil {
		t.Fatal(err)
	}
	if l.Size != 6 || l.Stream != events.Plans || l.Registry() != "hub" || l.Reason != "registry is gone" || time.Since(l.At) > time.Hour || !l.Replayable() {
		t.Errorf("letter %+v", l)
	}
	for range 2 { // two who were as fast as each other
		if err := letters.Replay(t.Context(), l, l.Message()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := letters.Get(t.Context(), 6); !errors.Is(err, dead.ErrNotFound) {
		t.Errorf("after the replay: %v", err)
	}
	got := stored(t, b, "PLANS")
	if len(got) != 1 {
		t.Fatalf("%d messages, want 1", len(got))
	}
	m := got[0]
	if m.Subject != "landwaiter.plan.hub" || string(m.Data) != "xxxxxx" || m.Header.Get("Ce-Id") != "id-6" || m.Header.Get(events.HeaderMessageID) != "replay/6" {
		t.Errorf("message on %s: %s %q", m.Subject, m.Header, m.Data)
	}
	for name := range m.Header {
		if strings.HasPrefix(name, "Landwaiter-Dead-") {
			t.Errorf("the message has kept %s", name)
		}
	}
}

func TestReplayToNowhereKeepsTheLetter(t *testing.T) {
	_, letters := crowd(t)
	l, err := letters.Get(t.Context(), 6)
	if err != nil {
		t.Fatal(err)
	}
	if err := letters.Replay(t.Context(), l, nats.NewMsg("landwaiter.gone")); !errors.Is(err, dead.ErrNoStream) {
		t.Errorf("Replay: %v", err)
	}
	if _, err := letters.Get(t.Context(), 6); err != nil {
		t.Errorf("the letter is lost: %v", err)
	}
}

// What a consumer could not handle comes back as it was, its own headers
// included.
func TestReplayOfAConsumersLetter(t *testing.T) {
	t.Parallel()
	h := nats.Header{
		"Nats-Msg-Id": {"dead/REGISTRY/3/plan"}, "Nats-Stream": {"DEAD"}, "Landwaiter-Dead-Nats-Expected-Stream": {"OTHER"},
		bus.HeaderDeadSubject: {"landwaiter.registry.image.pushed.hub"}, bus.HeaderDeadReason: {"no"}, "Ce-Id": {"hub/1"}, "Extra": {"a", "b"},
	}
	l := dead.Letter{Sequence: 7, Subject: h.Get(bus.HeaderDeadSubject), Header: h, Data: []byte("{}")}
	m := l.Message()
	if len(m.Header) != 3 || m.Header.Get("Nats-Msg-Id") != "replay/7" || m.Header.Get("Ce-Id") != "hub/1" || len(m.Header["Extra"]) != 2 {
		t.Errorf("headers %v", m.Header)
	}
	for _, tt := range []struct {
		name  string
		spoil func(l *dead.Letter)
	}{
		{"cut", func(l *dead.Letter) { l.Header.Set(bus.HeaderDeadCut, "9000") }},
		{"from nowhere", func(l *dead.Letter) { l.Subject = "" }},
	} {
		if !l.Replayable() {
			t.Fatal("not replayable")
		}
		spoilt := l
		spoilt.Header = nats.Header{}
		tt.spoil(&spoilt)
		if spoilt.Replayable() {
			t.Errorf("%s: replayable", tt.name)
		}
	}
}
