package worker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// Pushes that wait for a registry that is away leave room for all others,
// however many they are, and the registry's condition says why they wait.
func TestOneDeadRegistryHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "all", Registry: registryName}, config.Rule{Name: "dead", Registry: "dead"})
	r.configure(config.Registry{Name: "dead", Type: config.OCI, Address: "http://127.0.0.1:1"})
	const many = 300
	for i := range many {
		fact := r.pushFact("team/app", strconv.Itoa(i), "")
		fact.Registry, fact.Host = "dead", "127.0.0.1:1"
		r.publish("dead/"+uuid.NewString(), fact)
	}
	r.work(nil)
	r.until("the dead registry's condition", func(ctx context.Context) error {
		rec, err := r.state.Conditions.Get(ctx, "dead")
		if err == nil && (rec.Value.Count == 0 || rec.Value.Error == "" || rec.Value.Since.IsZero()) {
			err = fmt.Errorf("condition is %+v", rec.Value)
		}
		return err
	})
	d := r.push("team/app:1.0", image(t, zlib(t, "1:1.2.13-1")))
	r.pushed("team/app", "1.0", d)
	r.jobEnds(d, state.JobDone)
	if _, err := r.state.Conditions.Get(t.Context(), registryName); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("the registry that answers has a condition: %v", err)
	}
}

// A job that was forgotten goes on counting where its image stands.
func TestScanAfterItsJobWasForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	d := r.push("team/app:1.0", image(t, zlib(t, "1:1.2.13-1")))
	for i := range 2 {
		r.force(d, fmt.Sprintf("before-%d", i))
	}
	rec, err := r.state.Jobs.Get(t.Context(), d.Token())
	if err == nil {
		err = r.state.Jobs.Delete(t.Context(), failpoint.KeeperJob, rec)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.force(d, "after")
	if before, after := rec.Value.Generation, r.job(d).Generation; after <= before {
		t.Errorf("generation %d after %d", after, before)
	}
}

// force asks for a scan of what may be known and waits for it.
func (r *rig) force(d events.Digest, id string) {
	r.t.Helper()
	r.publish(id, events.ImageRequested{Request: id, Registry: registryName, Repository: "team/app", Digest: d, Force: true})
	r.until("scan for "+id, func(ctx context.Context) error {
		rec, err := r.state.Jobs.Get(ctx, d.Token())
		if err == nil && (rec.Value.State != state.JobDone || !rec.Value.Announced || rec.Value.Requesters[0].ID != "request/"+id) {
			err = fmt.Errorf("job is %+v", rec.Value)
		}
		return err
	})
}

// A scan that does not end is ended by its job's deadline.
func TestDeadlineEndsARunningScan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(func(c *Config) { c.JobDeadline = 2 * time.Second })
	d, hold := r.heldScan()
	job := r.jobEnds(d, state.JobFailed)
	if job.Error != "it was not finished within its deadline" || !job.Dead {
		t.Errorf("job is %+v", job)
	}
	select {
	case <-hold.gone:
	case <-time.After(5 * time.Second):
		t.Error("the layer is still being read")
	}
}

// A place names the rules that cover it now, not those that once did.
func TestPlaceForgetsARuleThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "old", Registry: registryName}, config.Rule{Name: "stays", Registry: registryName})
	r.work(nil)
	d := r.scanned("team/app", "1.0", image(t, zlib(t, "1:1.2.13-1")))
	rule, err := r.state.Rules.Get(t.Context(), "old")
	if err == nil {
		err = r.state.Rules.Delete(t.Context(), failpoint.ConfigRule, rule)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.until("the place to forget the rule", func(context.Context) error {
		r.pushed("team/app", "1.0", d)
		p, err := r.place("team/app", d)
		if err == nil && (len(p.Rules) != 1 || p.Rules[0] != "stays") {
			err = fmt.Errorf("rules are %v", p.Rules)
		}
		return err
	})
}
