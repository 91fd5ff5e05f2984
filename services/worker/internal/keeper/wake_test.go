package keeper

import (
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// A record that no wake-up can be made of keeps no other job of its round
// asleep, and is named.
func TestJobThatCannotBeWokenHoldsUpNoOther(t *testing.T) {
	b := natstest.Bus(t, natstest.Start(t), "test")
	k := &Keeper{Bus: b}
	job := func(system string) state.Record[state.Job] {
		d := state.DigestOf([]byte(system))
		return state.Record[state.Job]{Key: d.Token(), Value: state.Job{
			Digest: d, Generation: 1, State: state.JobQueued, Lane: events.LanePush, Pool: "any", Platform: events.Platform{OS: system},
		}}
	}
	broken := job("no system")
	err := k.wake(t.Context(), []state.Record[state.Job]{broken, job("linux")})
	if err == nil || !strings.Contains(err.Error(), broken.Key) {
		t.Errorf("error %v does not name %s", err, broken.Key)
	}
	stream, err := b.JetStream().Stream(t.Context(), b.Topology().Stream(events.Scans))
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != 1 {
		t.Errorf("%d jobs were woken, want 1", n)
	}
}
