package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// again publishes a stored fact once more, as the broker redelivers one whose
// acknowledgement was lost.
func (r *rig) again(e events.Event) {
	r.t.Helper()
	m := r.bus.Topology().Encode(e)
	msg := &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}
	msg.Header.Set(events.HeaderMessageID, uuid.NewString())
	if _, err := r.bus.JetStream().PublishMsg(r.t.Context(), msg); err != nil {
		r.t.Fatal(err)
	}
}

func TestRepeatedPushScansNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	d := r.scanned("team/app", "1.0", image(t, zlib(t, "1:1.2.13-1")))
	before := r.job(d)
	r.registry.forget()

	r.again(r.stored(events.Registry)[0])
	r.pushed("team/app", "1.0", d)
	r.idle()
	if n := r.registry.gets("/blobs/"); n != 0 {
		t.Errorf("%d blobs were read again: %v", n, r.registry.requests())
	}
	after := r.job(d)
	if after.Generation != before.Generation || !after.StartedAt.Equal(before.StartedAt) || len(r.told(events.ScanStarted)) != 1 {
		t.Errorf("scanned again: %+v", after)
	}
}

func TestSecondImageReadsOnlyItsOwnLayer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	base := zlib(t, "1:1.2.13-1")
	r.scanned("team/app", "1.0", image(t, base, files(t, map[string]string{"app": "one"})))
	r.registry.forget()
	top := files(t, map[string]string{"app": "two"})
	d := r.scanned("team/app", "2.0", image(t, base, top))
	if n := r.registry.gets("/blobs/"); n != 2 { // the configuration and the new layer
		t.Errorf("%d blobs were read: %v", n, r.registry.requests())
	}
	if n := r.registry.gets("/blobs/", string(digestOf(t, top))); n != 1 {
		t.Errorf("the new layer was read %d times", n)
	}
	if report := r.report(d); len(report.Packages) != 1 || len(report.Layers) != 2 {
		t.Errorf("got packages %+v", report.Packages)
	}
}

func TestTenRequestersOneScan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	img := image(t, zlib(t, "1:1.2.13-1"))
	var d events.Digest
	for i := range 5 {
		d = r.push(fmt.Sprintf("team/app:v%d", i), img)
	}
	var asked []string
	for i := range 5 {
		tag := fmt.Sprintf("v%d", i)
		r.pushed("team/app", tag, d)
		id := uuid.NewString()
		r.publish(id, events.ImageRequested{Request: id, Registry: registryName, Repository: "team/app", Tag: tag})
		asked = append(asked, id)
	}
	r.work(nil)
	r.work(nil)
	job := r.jobEnds(d, state.JobDone)
	for _, id := range asked {
		if req := r.requested(id); req.State != state.RequestPlanned || len(req.Scans) != 1 || req.Scans[0] != d {
			t.Errorf("request became %+v", req)
		}
	}
	r.idle()
	if after := r.job(d); job.Generation != 1 || after.Generation != 1 {
		t.Errorf("got generation %d, want 1", after.Generation)
	}
	if n := len(r.told(events.ScanStarted)); n != 1 {
		t.Errorf("%d scans were started", n)
	}
	place, err := r.place("team/app", d)
	if err != nil || len(place.Tags) != 5 {
		t.Errorf("got tags %v, %v", place.Tags, err)
	}
}

func TestTwoWorkersFetchEachLayerOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	r.work(nil)
	base := zlib(t, "1:1.2.13-1")
	hold := r.registry.hold("/blobs/", string(digestOf(t, base)))
	var digests []events.Digest
	for i := range 4 {
		ref := fmt.Sprintf("team/app%d", i)
		d := r.push(ref+":1", image(t, base, files(t, map[string]string{"app": ref})))
		r.pushed(ref, "1", d)
		digests = append(digests, d)
	}
	<-hold.arrived
	r.until("all are being scanned", func(_ context.Context) error {
		if n := len(r.told(events.ScanStarted)); n < len(digests) {
			return fmt.Errorf("%d started", n)
		}
		return nil
	})
	hold.release()
	for _, d := range digests {
		r.jobEnds(d, state.JobDone)
	}
	if n := r.registry.gets("/blobs/", string(digestOf(t, base))); n != 1 {
		t.Errorf("the base was read %d times", n)
	}
}

func TestUnknownIsAskedForAgainWhenForced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(nil)
	d := r.scanned("team/app", "1.0", image(t, zlib(t, "1:1.2.13-1")))
	req := r.request(events.ImageRequested{Registry: registryName, Repository: "team/app", Tag: "1.0", Force: true})
	if req.State != state.RequestPlanned {
		t.Fatalf("request became %+v", req)
	}
	r.until("a second scan is done", func(context.Context) error {
		if j := r.job(d); j.Generation != 2 || j.State != state.JobDone || !j.Announced {
			return errors.New(string(j.State))
		}
		return nil
	})
}
