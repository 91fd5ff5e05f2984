package worker

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// layerPushed publishes the fact of a blob's push.
func (r *rig) layerPushed(repository string, d events.Digest) {
	r.t.Helper()
	fact := r.pushFact(repository, "", d)
	fact.Kind, fact.Class = events.LayerPushed, events.ClassLayer
	r.publish(uuid.NewString(), fact)
}

// layerIs waits until a layer's record has a state.
func (r *rig) layerIs(d events.Digest, want state.LayerState) {
	r.t.Helper()
	r.until("layer is "+string(want), func(ctx context.Context) error {
		err := fmt.Errorf("%s is not known", d)
		allErr := r.state.Layers.All(ctx, ">", func(rec state.Record[state.Layer]) error {
			if rec.Value.Digest == d {
				if err = nil; rec.Value.State != want {
					err = fmt.Errorf("it is %s", rec.Value.State)
				}
			}
			return nil
		})
		if allErr != nil {
			return allErr
		}
		return err
	})
}

func TestLayersAreReadBeforeTheirImageIsPushed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	layer := zlib(t, "1:1.2.13-1")
	img := image(t, layer)
	d := r.push("team/app:1.0", img)
	configName, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	r.layerPushed("team/app", digestOf(t, layer))
	r.layerPushed("team/app", events.Digest(configName.String()))
	r.layerIs(digestOf(t, layer), state.LayerDone)
	r.layerIs(events.Digest(configName.String()), state.LayerNotImage)
	r.registry.forget()
	r.pushed("team/app", "1.0", d)
	r.jobEnds(d, state.JobDone)
	if n := r.registry.gets("/blobs/"); n != 1 || r.registry.gets("/blobs/", configName.String()) != 1 {
		t.Errorf("more was read than the configuration: %v", r.registry.requests())
	}
	if p := r.report(d).Packages; len(p) != 1 {
		t.Errorf("got packages %+v", p)
	}
}

func TestLayersOfAnUnwantedRepositoryAreLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t, config.Rule{Name: "team", Registry: registryName, Repositories: []string{"team/*"}})
	r.work(nil)
	layer := zlib(t, "1:1.2.13-1")
	r.push("other/app:1.0", image(t, layer))
	r.layerPushed("other/app", digestOf(t, layer))
	r.idle()
	if n := r.registry.gets("/blobs/"); n != 0 {
		t.Errorf("%d blobs were read", n)
	}
}

// A manifest of one tenant that names another's layer must not reveal it.
func TestTrustGroupsShareNoLayers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tenant, friend := startRegistry(t), startRegistry(t)
	for name, reg := range map[string]config.Registry{
		"tenant": {Address: "http://" + tenant.host, Trust: "tenant"},
		"friend": {Address: "http://" + friend.host},
	} {
		reg.Name, reg.Type = name, config.OCI
		r.configure(reg)
		rule := config.Rule{Name: "of-" + name, Registry: name}
		if _, err := r.state.Rules.Create(t.Context(), failpoint.ConfigRule, rule.Name, state.Managed[config.Rule]{Value: rule}); err != nil {
			t.Fatal(err)
		}
	}
	r.work(nil)
	layer := zlib(t, "1:1.2.13-1")
	img := image(t, layer)
	d := r.scanned("team/app", "1.0", img)
	elsewhere := func(name string, f *fakeRegistry) {
		f.push("team/app:1.0", img)
		f.forget()
		fact := r.pushFact("team/app", "1.0", d)
		fact.Registry, fact.Host = name, f.host
		r.publish(uuid.NewString(), fact)
	}
	elsewhere("friend", friend)
	r.idle()
	if n := friend.gets("/blobs/"); n != 0 || r.job(d).Generation != 1 {
		t.Errorf("%d blobs were read from a registry that is trusted the same", n)
	}
	elsewhere("tenant", tenant)
	r.until("it is scanned from there", func(context.Context) error {
		if j := r.job(d); j.Generation != 2 || j.State != state.JobDone {
			return fmt.Errorf("generation %d is %s", j.Generation, j.State)
		}
		return nil
	})
	if n := tenant.gets("/blobs/", string(digestOf(t, layer))); n != 1 {
		t.Errorf("the layer was read %d times from the tenant", n)
	}
	if trust := r.image(d).Trust; len(trust) != 2 {
		t.Errorf("got trust groups %v", trust)
	}
}
