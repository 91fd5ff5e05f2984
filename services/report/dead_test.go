package report_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/schemas"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/dead"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// deadLetter is what the tests read of a dead letter.
type deadLetter struct {
	ID, Stream, Subject, Reason, Consumer, Registry string
	Size                                            int
	Replayable                                      bool
	Headers                                         map[string][]string
	Data                                            map[string]any
	DataBase64                                      []byte
	Truncated                                       bool
}

type deadLetters struct {
	Letters    []deadLetter
	NextCursor string
}

func (l deadLetters) ids() string {
	var ids []string
	for _, letter := range l.Letters {
		ids = append(ids, letter.ID)
	}
	return strings.Join(ids, " ")
}

// bury makes a dead letter of an event.
func (r *rig) bury(stream events.StreamName, d events.Data, id, reason string) {
	r.Helper()
	e, err := events.New(d, events.Meta{ID: id, Source: "test", Time: time.Now()})
	if err == nil {
		err = r.bus.PublishDead(r.Context(), failpoint.ScanDead, stream, e, reason)
	}
	if err != nil {
		r.Fatal(err)
	}
}

// buryRequest makes the n-th dead letter one of PLANS.
func (r *rig) buryRequest(n int, reason string) {
	r.Helper()
	r.bury(events.Plans, events.ImageRequested{Request: fmt.Sprint("r", n), Registry: "hub", Repository: "acme/app", Tag: "v1"}, fmt.Sprint("request/r", n), reason)
}

// buryWakeUp makes a dead letter of an image's wake-up, as a worker does.
func (r *rig) buryWakeUp(n int) {
	r.Helper()
	r.bury(events.Scans, events.ScanRequested{Digest: digest(n), Generation: 1, Lane: events.LanePush, OS: "linux", Pool: "any"},
		fmt.Sprint("dead/", n), "five attempts failed")
}

func (r *rig) dead(query string) deadLetters {
	r.Helper()
	var l deadLetters
	if res := r.call(http.MethodGet, "/api/v1/dead"+query, nil, &l); res.StatusCode != http.StatusOK {
		r.Fatalf("GET /api/v1/dead%s: %s", query, res.Status)
	}
	return l
}

// replay replays a letter and returns the answer's status.
func (r *rig) replay(id string) int {
	r.Helper()
	return r.call(http.MethodPost, "/api/v1/dead/"+id+"/replay", nil, nil).StatusCode
}

// on are the message ids on a stream.
func (r *rig) on(stream events.StreamName) []string {
	r.Helper()
	var ids []string
	for _, m := range r.messages(stream) {
		ids = append(ids, m.Header[events.HeaderMessageID]...)
	}
	return ids
}

func (r *rig) messages(stream events.StreamName) []events.Message {
	r.Helper()
	s, err := r.bus.JetStream().Stream(r.Context(), string(stream))
	if err != nil {
		r.Fatal(err)
	}
	var all []events.Message
	st := s.CachedInfo().State
	for sequence := st.FirstSeq; sequence <= st.LastSeq && st.Msgs > 0; sequence++ {
		m, err := s.GetMsg(r.Context(), sequence)
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, events.Message{Subject: m.Subject, Header: m.Header, Data: m.Data})
	}
	return all
}

func TestDeadLettersAreListed(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.buryRequest(1, "registry hub is gone")
	r.buryWakeUp(2)
	r.buryRequest(3, "the broker\nrefused")
	r.start()
	for query, want := range map[string]string{
		"": "3 2 1", "?stream=SCANS": "2", "?contains=gone": "1", "?stream=PLANS&contains=attempts": "", "?cursor=3": "2 1", "?stream=NONE": "",
	} {
		if got := r.dead(query); got.ids() != want || got.NextCursor != "" {
			t.Errorf("%s: %q, then %q; want %q", query, got.ids(), got.NextCursor, want)
		}
	}
	first := r.dead("?limit=2")
	if first.ids() != "3 2" || r.dead("?limit=2&cursor="+first.NextCursor).ids() != "1" {
		t.Errorf("pages of two: %q, then %q", first.ids(), first.NextCursor)
	}
	l := first.Letters[0]
	if l.Stream != "PLANS" || l.Subject != "landwaiter.plan.hub" || l.Reason != "the broker refused" || l.Registry != "hub" || l.Size == 0 || !l.Replayable {
		t.Errorf("letter %+v", l)
	}
	var whole deadLetter
	r.call(http.MethodGet, "/api/v1/dead/3", nil, &whole)
	if whole.Data["request"] != "r3" || whole.Headers["ce-id"][0] != "request/r3" || whole.Truncated {
		t.Errorf("letter %+v", whole)
	}
	for path, want := range map[string]int{
		"/api/v1/dead?limit=0": 400, "/api/v1/dead?limit=x": 400, "/api/v1/dead?cursor=x": 400, "/api/v1/dead?strem=X": 400,
		"/api/v1/dead?stream=a.b": 400, "/api/v1/dead?contains=" + strings.Repeat("x", 301): 400,
		"/api/v1/dead/4": 404, "/api/v1/dead/0": 404, "/api/v1/dead/x": 404, "/api/v1/dead/99999999999999999999": 404,
	} {
		if res := r.call(http.MethodGet, path, nil, nil); res.StatusCode != want || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("GET %s: %s, want %d", path, res.Status, want)
		}
	}
}

func TestDeadLettersKeepTheContract(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.buryRequest(1, "no")
	m := nats.NewMsg("landwaiter.dead.REGISTRY") // of a time before replays
	m.Data = []byte("<xml/>")
	if err := r.bus.PublishMessage(t.Context(), failpoint.DeadPublish, m); err != nil {
		t.Fatal(err)
	}
	r.start()
	for _, tt := range []struct{ method, path, schema string }{
		{http.MethodGet, "/api/v1/dead", "DeadLetterPage"},
		{http.MethodGet, "/api/v1/dead/1", "DeadLetterDetail"},
		{http.MethodGet, "/api/v1/dead/2", "DeadLetterDetail"},
		{http.MethodPost, "/api/v1/dead/2/replay", "Problem"},
		{http.MethodPost, "/api/v1/dead/1/replay", "DeadLetter"},
		{http.MethodPost, "/api/v1/dead/replay", "DeadLetterReplayed"},
	} {
		schema, err := compiler(t).Compile(schemas.Base + schemas.OpenAPI + "#/components/schemas/" + tt.schema)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		r.call(tt.method, tt.path, map[string]any{}, &got)
		if err := schema.Validate(got); err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.path, err)
		}
	}
}

// What a letter holds is shown, and not what may prove who somebody is.
func TestDeadLettersShowNoSecrets(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	w := dead.Webhook{
		Registry: "hub", Source: "harbor", ID: "w", ReceivedAt: time.Now(),
		Body: []byte(strings.Repeat("<xml/>", 300<<10)), Header: http.Header{"X-Github-Event": {"ping"}},
	}
	m := w.Message("landwaiter.replay.hub")
	m.Header.Set("Authorization", "Bearer topsecret")
	m.Header.Set("X-Hub-Signature", "topsecret")
	m.Header.Set(events.HeaderMessageID, "dead/w")
	if err := r.bus.PublishDeadMessage(t.Context(), failpoint.DeadPublish, events.Replays, m, "not understood"); err != nil {
		t.Fatal(err)
	}
	r.start()
	var l deadLetter
	r.call(http.MethodGet, "/api/v1/dead/1", nil, &l)
	if l.Registry != "hub" || len(l.DataBase64) != 1<<20 || !strings.HasPrefix(string(l.DataBase64), "<xml/>") || !l.Truncated {
		t.Errorf("letter of %s with %d bytes, cut %v", l.Registry, len(l.DataBase64), l.Truncated)
	}
	if fmt.Sprint(l.Headers["Landwaiter-Webhook-Request-X-Github-Event"]) != "[ping]" || strings.Contains(fmt.Sprint(l.Headers), "topsecret") {
		t.Errorf("headers %v", l.Headers)
	}
}

func TestDeadLettersAreTheAdmins(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.buryRequest(1, "no")
	r.start()
	for _, tt := range []struct{ method, path string }{
		{http.MethodGet, "/api/v1/dead"},
		{http.MethodGet, "/api/v1/dead/1"},
		{http.MethodPost, "/api/v1/dead/1/replay"},
		{http.MethodPost, "/api/v1/dead/replay"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, r.url+tt.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s without a token: %s", tt.method, tt.path, res.Status)
		}
	}
	if got := r.dead("").ids(); got != "1" {
		t.Errorf("left are %q", got)
	}
}

func TestReplay(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.buryRequest(1, "no")
	r.bury(events.Plans, events.ImageRequested{Request: "cut", Registry: "hub", Repository: "acme/app", Tag: "v1"}, "request/cut", "no")
	m := nats.NewMsg("landwaiter.nowhere")
	if err := r.bus.PublishDeadMessage(t.Context(), failpoint.DeadPublish, "NOWHERE", m, "of a later version"); err != nil {
		t.Fatal(err)
	}
	whole := nats.NewMsg("landwaiter.plan.hub")
	whole.Header.Set(bus.HeaderDeadCut, "9000000")
	if err := r.bus.PublishDeadMessage(t.Context(), failpoint.DeadPublish, events.Plans, whole, "too large"); err != nil {
		t.Fatal(err)
	}
	r.start()
	for _, tt := range []struct {
		id   string
		want int
	}{{"1", 200}, {"1", 404}, {"3", 409}, {"4", 409}, {"x", 404}} {
		if got := r.replay(tt.id); got != tt.want {
			t.Errorf("replay of %s: %d, want %d", tt.id, got, tt.want)
		}
	}
	if got := r.dead("").ids(); got != "4 3 2" {
		t.Errorf("left are %q", got)
	}
	got := r.messages(events.Plans)
	if len(got) != 1 {
		t.Fatalf("%d messages, want 1", len(got))
	}
	e, err := events.Decode(got[0])
	if err != nil || e.ID() != "request/r1" || got[0].Header[events.HeaderMessageID][0] != "replay/1" {
		t.Errorf("replayed is %v, %v", got[0].Header, err)
	}
}

// A scan that was tried too often is tried again, at the places where it was.
func TestReplayStartsAFailedScanAgain(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	r.putJob(1, state.JobFailed, "five attempts failed")
	r.putJob(2, state.JobDone, "")
	for n := range 3 {
		r.buryWakeUp(n + 1)
	}
	r.start()
	for id, want := range map[string]int{"1": 200, "2": 200, "3": 409} { // the third's record is gone
		if got := r.replay(id); got != want {
			t.Errorf("replay of %s: %d, want %d", id, got, want)
		}
	}
	job := r.job(1)
	var ids []string
	for _, q := range job.Requesters {
		ids = append(ids, q.ID+" "+q.Registry+"/"+q.Repository)
	}
	if job.State != state.JobQueued || job.Generation != 2 || job.Error != "" || fmt.Sprint(ids) != "[replay/1 hub/acme/app request/r1 hub/acme/app]" {
		t.Errorf("job %+v", job)
	}
	if job := r.job(2); job.State != state.JobDone || job.Generation != 1 {
		t.Errorf("a job that is done became %+v", job)
	}
	for _, m := range r.messages(events.Scans) {
		e, err := events.Decode(m)
		if err != nil {
			t.Fatal(err)
		}
		wish, ok := e.Data().(events.ScanRequested)
		if ok && wish.Digest == digest(1) && (wish.Generation != 2 || m.Subject != "landwaiter.scan.push.linux.default") {
			t.Errorf("wake-up %+v on %s", wish, m.Subject)
		}
	}
	if ids := r.on(events.Scans); len(ids) != 2 || !slices.Contains(ids, "replay/1") {
		t.Errorf("wake-ups %v", ids)
	}
}

func (r *rig) job(n int) state.Job {
	r.Helper()
	rec, err := r.state.Jobs.Get(r.Context(), digest(n).Token())
	if err != nil {
		r.Fatal(err)
	}
	return rec.Value
}

// A replay that is cut off anywhere is done again without harm.
func TestReplayCutOff(t *testing.T) {
	for _, point := range []failpoint.Point{failpoint.DeadJob, failpoint.DeadReplay, failpoint.DeadRemove} {
		for _, moment := range []failpoint.Moment{failpoint.Before, failpoint.After} {
			t.Run(string(point)+" "+string(moment), func(t *testing.T) {
				r := newRig(t, redistest.Start(t).Client())
				r.putJob(1, state.JobFailed, "five attempts failed")
				r.buryWakeUp(1)
				var cut atomic.Bool
				r.cfg.Bus.Fail = func(p failpoint.Point, m failpoint.Moment) {
					if p == point && m == moment && cut.CompareAndSwap(false, true) {
						panic(http.ErrAbortHandler) // nothing after it is done
					}
				}
				r.start()
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/api/v1/dead/1/replay", nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+adminToken)
				res, err := http.DefaultClient.Do(req) //nolint:forbidigo // against the service of this test
				if err == nil {
					_ = res.Body.Close()
					t.Fatalf("it was not cut off: %s", res.Status)
				}
				removed := point == failpoint.DeadRemove && moment == failpoint.After
				if got := r.replay("1"); (got == http.StatusOK) == removed {
					t.Errorf("once more: %d", got)
				}
				if job := r.job(1); job.State != state.JobQueued || job.Generation != 2 || len(job.Requesters) != 2 {
					t.Errorf("job %+v", job)
				}
				if ids := r.on(events.Scans); len(ids) != 1 {
					t.Errorf("wake-ups %v, want one", ids)
				}
				if left := r.dead("").ids(); left != "" {
					t.Errorf("left is %q", left)
				}
			})
		}
	}
}

func TestReplayInBatches(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	for n := range 230 {
		reason := "registry is gone"
		if n%10 == 0 {
			reason = "something else"
		}
		r.buryRequest(n+1, reason)
	}
	cut := nats.NewMsg("landwaiter.plan.hub")
	cut.Header.Set(bus.HeaderDeadCut, "9000000")
	if err := r.bus.PublishDeadMessage(t.Context(), failpoint.DeadPublish, events.Plans, cut, "registry is gone"); err != nil {
		t.Fatal(err)
	}
	r.start()
	var sizes []int
	skipped := 0
	order := map[string]any{"stream": "PLANS", "contains": "gone"}
	for first := true; first || order["cursor"] != ""; first = false {
		var out struct {
			Replayed, Skipped int
			NextCursor        string
		}
		if res := r.call(http.MethodPost, "/api/v1/dead/replay", order, &out); res.StatusCode != http.StatusOK {
			t.Fatalf("batch: %s", res.Status)
		}
		sizes, skipped = append(sizes, out.Replayed), skipped+out.Skipped
		order["cursor"] = out.NextCursor
		if first {
			r.buryRequest(1000, "registry is gone") // one that comes back meanwhile
		}
	}
	if fmt.Sprint(sizes) != "[100 100 7]" || skipped != 1 {
		t.Errorf("replayed %v, skipped %d", sizes, skipped)
	}
	if got := len(r.dead("?limit=500").Letters); got != 23+1+1 {
		t.Errorf("%d left", got)
	}
	if got := r.on(events.Plans); len(got) != 207 || got[0] != "replay/2" || got[206] != "replay/230" {
		t.Errorf("%d replayed, from %s to %s", len(got), got[0], got[len(got)-1])
	}
	for _, bad := range []map[string]any{{"cursor": "7"}, {"stream": "a b"}, {"streams": "PLANS"}} {
		if res := r.call(http.MethodPost, "/api/v1/dead/replay", bad, nil); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%v: %s", bad, res.Status)
		}
	}
}
