package dead

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// window is how many letters are read at a time.
	window = 200
	// mostLooked bounds the letters that one list looks at.
	mostLooked = 4000
)

// Newest lists up to n letters that fit, without their data, newest first. It
// begins below the sequence before; 0: with the newest. next is what to go on
// below; 0: there are no more. A list may be shorter than n and not be the last
// one: each looks at a bounded number of letters.
func (l Letters) Newest(ctx context.Context, f Filter, before uint64, n int) (list []Letter, next uint64, err error) {
	s, err := l.state(ctx)
	if err != nil {
		return nil, 0, err
	}
	if before == 0 || before > s.LastSeq {
		before = s.LastSeq + 1
	}
	for looked := 0; looked < mostLooked && len(list) < n && before > s.FirstSeq; looked += window {
		var part []Letter
		from := back(s, before, window)
		_, err := l.read(ctx, f.Stream, Span{From: from, To: before}, func(letter Letter) bool {
			if f.fits(letter) {
				part = append(part, letter)
			}
			return true
		})
		if err != nil {
			return nil, 0, err
		}
		slices.Reverse(part)
		list = append(list, part...)
		before = from
	}
	if len(list) > n {
		list = list[:n]
		before = list[n-1].Sequence
	}
	if before <= s.FirstSeq {
		before = 0
	}
	return list, before, nil
}

// back is the sequence at which the n letters before another begin. What was
// removed is not counted.
func back(s jetstream.StreamState, before uint64, n int) uint64 {
	gaps := s.Deleted[:sort.Search(len(s.Deleted), func(i int) bool { return s.Deleted[i] >= before })]
	for n > 0 && before > s.FirstSeq {
		before--
		if last := len(gaps) - 1; last >= 0 && gaps[last] == before {
			gaps = gaps[:last]
			continue
		}
		n--
	}
	return before
}

// Span is a range of sequences: from the first to before the second.
type Span struct{ From, To uint64 }

// Empty reports whether nothing lies in the span.
func (s Span) Empty() bool { return s.From >= s.To }

// All is the span of the letters that are there now. What comes later, and be
// it because a replay failed, is outside.
func (l Letters) All(ctx context.Context) (Span, error) {
	s, err := l.state(ctx)
	return Span{From: s.FirstSeq, To: s.LastSeq + 1}, err
}

// Oldest lists up to n letters of the span that fit, without their data, oldest
// first. rest is what to go on with; like Newest it may return fewer.
func (l Letters) Oldest(ctx context.Context, f Filter, s Span, n int) (list []Letter, rest Span, err error) {
	looked := 0
	rest, err = l.read(ctx, f.Stream, s, func(letter Letter) bool {
		if f.fits(letter) {
			list = append(list, letter)
		}
		looked++
		return looked < mostLooked && len(list) < n
	})
	return list, rest, err
}

func (l Letters) state(ctx context.Context) (jetstream.StreamState, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := l.stream(ctx)
	if err != nil {
		return jetstream.StreamState{}, err
	}
	info, err := s.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return jetstream.StreamState{}, fmt.Errorf("look at dead letters: %w", err)
	}
	info.State.FirstSeq = max(info.State.FirstSeq, 1) // 0 before there was any
	return info.State, nil
}
