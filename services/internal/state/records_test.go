package state_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

func TestPlaceExpires(t *testing.T) {
	t.Parallel()
	p := state.Place{Retention: config.Duration(48 * time.Hour)}
	if got := p.ExpiresAt(); !got.IsZero() {
		t.Errorf("a present place expires at %s", got)
	}
	p.MissingSince = noon
	if got, want := p.ExpiresAt(), noon.Add(48*time.Hour); !got.Equal(want) {
		t.Errorf("expires at %s, want %s", got, want)
	}
}

func TestPlaceEvent(t *testing.T) {
	t.Parallel()
	p := state.Place{
		Registry: "hub", Host: "hub.example", Repository: "a/b", Digest: "sha256:ab",
		Tags: map[string]time.Time{"v2": noon, "latest": noon, "v1": noon}, Platform: events.Platform{OS: "linux"},
	}
	want := events.Image{
		Registry: "hub", Host: "hub.example", Repository: "a/b", Digest: "sha256:ab",
		Tags: []string{"latest", "v1", "v2"}, Platform: events.Platform{OS: "linux"}, DateSource: events.DateUnknown,
	}
	if diff := cmp.Diff(want, p.Event()); diff != "" {
		t.Error(diff)
	}
}

// What the broker takes as a key, and what an operator may see in one.
var validKey = regexp.MustCompile(`^[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*$`)

type place struct {
	digest               events.Digest
	registry, repository string
}

func (p place) key() string { return state.PlaceKey(p.digest, p.registry, p.repository) }

func TestPlaceKeysAreDistinctAndValid(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	// A small alphabet, so that near misses are common.
	word := func(letters string) string {
		var b strings.Builder
		for range 1 + r.IntN(2) {
			b.WriteByte(letters[r.IntN(len(letters))])
		}
		return b.String()
	}
	seen := map[string]place{}
	for range 50_000 {
		p := place{
			digest:     events.Digest("sha256:" + strings.Repeat(string("ab"[r.IntN(2)]), 64)),
			registry:   word("ab"),
			repository: word("ab"),
		}
		for range r.IntN(4) {
			p.repository += []string{".", "_", "__", "-", "--", "/"}[r.IntN(6)] + word("ab")
		}
		if !events.ValidName(p.registry) || !events.ValidRepository(p.repository) {
			t.Fatalf("%+v is not valid", p)
		}
		key := p.key()
		if !validKey.MatchString(key) || strings.Count(key, ".") != 3 {
			t.Fatalf("key %q of %+v", key, p)
		}
		if other, taken := seen[key]; taken && other != p {
			t.Fatalf("%+v and %+v have the key %q", p, other, key)
		}
		seen[key] = p
	}
}

func TestPlacesAreFoundByTheirParts(t *testing.T) {
	_, st := start(t)
	ctx := t.Context()
	first, second := digest("a"), digest("b")
	places := []place{
		{first, "hub", "team/app.v2"}, {first, "hub", "team/app"}, {first, "quay", "team/app.v2"}, {second, "hub", "team/app.v2"},
	}
	for _, p := range places {
		_, err := st.Places.Create(ctx, point, p.key(), state.Place{Registry: p.registry, Repository: p.repository, Digest: p.digest})
		if err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		filter string
		want   map[place]bool
	}{
		{state.PlacesOfImage(first), map[place]bool{places[0]: true, places[1]: true, places[2]: true}},
		{state.PlacesOfRepository("hub", "team/app.v2"), map[place]bool{places[0]: true, places[3]: true}},
		{state.PlacesOfRepository("hub", "team/app"), map[place]bool{places[1]: true}},
		{state.PlacesOfRegistry("quay"), map[place]bool{places[2]: true}},
	}
	for _, tt := range tests {
		got := map[place]bool{}
		err := st.Places.All(ctx, tt.filter, func(r state.Record[state.Place]) error {
			got[place{r.Value.Digest, r.Value.Registry, r.Value.Repository}] = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, want %v", tt.filter, got, tt.want)
		}
	}
}

func digest(letter string) events.Digest {
	return events.Digest("sha256:" + strings.Repeat(letter, 64))
}

func TestLayerKeyKeepsTrustGroupsApart(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, trust := range []string{"default", "tenant"} {
		for _, d := range []events.Digest{digest("a"), digest("b")} {
			for _, engine := range []string{"e1", "e2"} {
				key := state.LayerKey(trust, d, engine)
				if keys[key] || !validKey.MatchString(key) {
					t.Errorf("key %q", key)
				}
				keys[key] = true
			}
		}
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	l := state.Lease{Holder: "a", Until: noon}
	tests := []struct {
		lease state.Lease
		me    string
		at    time.Time
		want  bool
	}{
		{state.Lease{}, "a", noon, false},
		{l, "a", noon.Add(-1), false},
		{l, "b", noon.Add(-1), true},
		{l, "b", noon, false},
	}
	for _, tt := range tests {
		if got := tt.lease.Held(tt.me, tt.at); got != tt.want {
			t.Errorf("%+v held for %s at %s = %t, want %t", tt.lease, tt.me, tt.at, got, tt.want)
		}
	}
}

func TestSweepKeepsItsFirstErrors(t *testing.T) {
	t.Parallel()
	var s state.Sweep
	for n := range 15 {
		s.Note(strconv.Itoa(n))
	}
	if !s.Partial || len(s.Errors) != 10 || s.Errors[9] != "9" {
		t.Errorf("partial %t, errors %v", s.Partial, s.Errors)
	}
	for phase, want := range map[state.SweepPhase]bool{
		state.SweepListing: false, state.SweepChecking: false, state.SweepScanning: false,
		state.SweepDone: true, state.SweepFailed: true, state.SweepCancelled: true,
	} {
		if phase.Terminal() != want {
			t.Errorf("%s terminal = %t", phase, !want)
		}
	}
}
