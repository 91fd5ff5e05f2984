package worker

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// refetched wants the job to have ended once more, as its nth start.
func (r *rig) refetched(d events.Digest, generation uint64) {
	r.t.Helper()
	r.until("the image is scanned again", func(context.Context) error {
		if j := r.job(d); j.Generation != generation || j.State != state.JobDone || !j.Announced {
			return errors.New(string(j.State))
		}
		return nil
	})
}

// A sweep with refetch reads every layer again, and a layer that images share
// once; the next one without reads nothing.
func TestQ9RefetchReadsEachLayerAgainOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	base, top := zlib(t, "1:1.2-1"), files(t, map[string]string{"a": "1"})
	one := r.scanned("team/app", "1", image(t, base))
	two := r.scanned("team/app", "2", image(t, base, top))
	before := r.image(one)
	r.registry.forget()
	order := state.Sweep{Rule: config.Rule{Registry: registryName}, Refetch: true}
	if sw := r.sweepEnds(r.order(order)); sw.Counts.Released != 2 || sw.Counts.Finished != 2 {
		t.Errorf("got counts %+v", sw.Counts)
	}
	for _, l := range []events.Digest{digestOf(t, base), digestOf(t, top)} {
		if n := r.registry.gets("/blobs/", string(l)); n != 1 {
			t.Errorf("layer %s was read %d times again", l, n)
		}
	}
	for _, d := range []events.Digest{one, two} {
		r.refetched(d, 2)
	}
	if after := r.image(one); after.Inventory != before.Inventory || !after.ScannedAt.After(before.ScannedAt) {
		t.Errorf("got image %+v, before %+v", after, before)
	}
	r.registry.forget()
	order.Refetch, order.Force = false, true
	r.sweepEnds(r.order(order))
	if n := r.registry.gets("/blobs/"); n != 0 {
		t.Errorf("%d blobs were read by a sweep without refetch", n)
	}
}

// A request that is delivered twice reads nothing twice.
func TestQ9RefetchOfARepeatedRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	base := zlib(t, "1:1.2-1")
	d := r.scanned("team/app", "1", image(t, base))
	r.registry.forget()
	req := events.ImageRequested{Request: uuid.NewString(), Registry: registryName, Repository: "team/app", Tag: "1", Refetch: true}
	r.publish(req.Request, req)
	r.requested(req.Request)
	r.refetched(d, 2)
	r.publish(uuid.NewString(), req)
	r.idle()
	if n := r.registry.gets("/blobs/", string(digestOf(t, base))); n != 1 || r.job(d).Generation != 2 {
		t.Errorf("the layer was read %d times, the job is %+v", n, r.job(d))
	}
}

// Who asks for a refetch while a scan is under way gets what was read before
// read again, and no more.
func TestQ9RefetchJoinsARunningScan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	early, late := zlib(t, "1:1.2-1"), files(t, map[string]string{"a": "1"})
	r.scanned("team/app", "0", image(t, early))
	d := r.push("team/app:1", image(t, early, late))
	hold := r.registry.hold("/blobs/", string(digestOf(t, late)))
	r.registry.forget()
	r.pushed("team/app", "1", d)
	<-hold.arrived
	r.request(events.ImageRequested{Registry: registryName, Repository: "team/app", Tag: "1", Refetch: true})
	hold.release()
	if j := r.jobEnds(d, state.JobDone); j.Generation != 1 || len(j.Requesters) != 2 {
		t.Errorf("got job %+v", j)
	}
	for _, l := range []events.Digest{digestOf(t, early), digestOf(t, late)} {
		if n := r.registry.gets("/blobs/", string(l)); n != 1 {
			t.Errorf("layer %s was read %d times", l, n)
		}
	}
}

// What was known of a layer stays known where it cannot be read again.
func TestQ9RefetchThatFailsLosesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	base := zlib(t, "1:1.2-1")
	d := r.scanned("team/app", "1", image(t, base))
	r.registry.failing(status(http.StatusNotFound, http.MethodGet, "/blobs/", string(digestOf(t, base))))
	r.request(events.ImageRequested{Registry: registryName, Repository: "team/app", Tag: "1", Refetch: true})
	r.jobEnds(d, state.JobFailed)
	r.registry.forget()
	r.scanned("team/app", "2", image(t, base, files(t, map[string]string{"a": "1"})))
	if n := r.registry.gets("/blobs/", string(digestOf(t, base))); n != 0 {
		t.Errorf("the layer was read %d times again", n)
	}
}
