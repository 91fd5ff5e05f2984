package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/test/harness"
)

const (
	stormDeliveries = 20_000
	stormImages     = 50
	stormSenders    = 4 // of each kind
	stormKills      = 3 // of the broker
	stormSlots      = 2 // scans at a time
)

// Senders of four kinds that try again as their real counterparts do, faster,
// while the broker is killed three times and ingest twice: what was accepted is
// stored, once where the sender has ids, and each image is scanned once for all
// that tell of it.
func TestStormOfWebhooks(t *testing.T) {
	harness.EndToEnd(t)
	s := newStorm(t)
	s.send()
	stored := s.stored()
	for id := range s.accepted {
		if stored[id] != 1 {
			t.Fatalf("%s was accepted and is stored %d times", id, stored[id])
		}
	}
	anonymous := 0
	for id := range stored {
		if strings.HasPrefix(id, "quay/") {
			anonymous++
		}
	}
	if anonymous < int(s.anonymous.Load()) {
		t.Errorf("%d deliveries without an id accepted, %d stored", s.anonymous.Load(), anonymous)
	}
	t.Logf("%d accepted with ids, %d without, %d refused or lost on the way, %d stored",
		len(s.accepted), s.anonymous.Load(), s.refused.Load(), len(stored))
	s.scannedOnce()
}

// storm is a front whose parts die now and then.
type storm struct {
	*front

	digests, layers          []string
	sent, refused, anonymous atomic.Int64
	mu                       sync.Mutex
	accepted                 map[string]bool
}

func newStorm(t *testing.T) *storm {
	t.Helper()
	s := &storm{front: newFront(t, "oci", "harbor", "zot", "quay"), accepted: map[string]bool{}}
	for n := range stormImages {
		image := tiny(t, fmt.Sprintf("ID=debian\nVERSION_ID=12\nBUILD_ID=%d\n", n))
		s.digests = append(s.digests, s.registry.Push(t, fmt.Sprintf("team/app-%d:1", n), image).String())
		s.layers = append(s.layers, layer(t, image, 0))
	}
	s.worker("only")
	return s
}

// send delivers everything, and lets things die meanwhile.
func (s *storm) send() {
	s.t.Helper()
	kinds := []sender{
		{"oci", 1 << 30, distributionBody}, {"harbor", 3, harborBody}, {"zot", 1, zotBody}, {"quay", 5, quayBody},
	}
	var running sync.WaitGroup
	each := stormDeliveries / len(kinds) / stormSenders
	for _, k := range kinds {
		for n := range stormSenders {
			running.Go(func() {
				for i := range each {
					s.deliver(k, n*each+i)
				}
			})
		}
	}
	s.at(15, func() { s.dieAndReturn(s.brokerNow, s.startBroker) })
	s.at(30, func() { s.dieAndReturn(s.ingestNow, s.startIngest) })
	s.at(45, func() { s.dieAndReturn(s.brokerNow, s.startBroker) })
	s.at(60, func() { s.dieAndReturn(s.ingestNow, s.startIngest) })
	s.at(75, func() { s.dieAndReturn(s.brokerNow, s.startBroker) })
	running.Wait()
}

// at waits until so many percent were sent.
func (s *storm) at(percent int64, do func()) {
	s.t.Helper()
	harness.WaitFor(s.t, 4*soon, fmt.Sprintf("%d percent sent", percent), func(context.Context) error {
		if n := s.sent.Load(); n*100 < stormDeliveries*percent {
			return fmt.Errorf("%d sent", n)
		}
		return nil
	})
	do()
}

// dieAndReturn kills a process, and starts it again once its absence was felt.
func (s *storm) dieAndReturn(p *harness.Process, start func()) {
	before := s.refused.Load()
	p.Kill()
	harness.WaitFor(s.t, soon, "a delivery that fails", func(context.Context) error {
		if s.refused.Load() == before {
			return errors.New("none yet")
		}
		return nil
	})
	start()
}

// sender is a kind of registry: how often it tries, and what it says of the
// image with a number in its delivery with a number.
type sender struct {
	registry string
	tries    int
	body     func(id string, n int, digest string) (http.Header, string)
}

func (s *storm) deliver(k sender, i int) {
	defer s.sent.Add(1)
	n := i % stormImages
	id := uuid.NewString()
	header, body := k.body(id, n, s.digests[n])
	stop := time.NewTicker(50 * time.Millisecond) // between tries
	defer stop.Stop()
	for range k.tries {
		if s.post(k.registry, header, body) {
			s.note(k.registry, id)
			return
		}
		s.refused.Add(1)
		select {
		case <-stop.C:
		case <-s.t.Context().Done():
			return
		}
	}
}

func (s *storm) note(registry, id string) {
	switch registry {
	case "quay":
		s.anonymous.Add(1)
	case "harbor": // identified by what it says, which is the same for all of an image
	default:
		s.mu.Lock()
		s.accepted[registry+"/"+id] = true
		s.mu.Unlock()
	}
}

func (s *storm) post(registry string, header http.Header, body string) bool {
	client := http.Client{Timeout: 5 * time.Second} // over the transport that all share
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.hooks+"/hooks/"+registry+"/"+hookSecret, strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header = header.Clone()
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode/100 == 2
}

func distributionBody(id string, n int, digest string) (http.Header, string) {
	return http.Header{"Content-Type": {"application/vnd.docker.distribution.events.v2+json"}}, fmt.Sprintf(
		`{"events":[{"id":%q,"timestamp":"2026-11-20T12:00:00Z","action":"push","target":{"mediaType":"application/vnd.oci.image.manifest.v1+json",
		"digest":%q,"size":500,"repository":"team/app-%d","tag":"1"}}]}`, id, digest, n)
}

func harborBody(_ string, n int, digest string) (http.Header, string) {
	return http.Header{"Content-Type": {"application/json"}}, fmt.Sprintf(
		`{"type":"PUSH_ARTIFACT","occur_at":1763640000,"operator":"ci","event_data":{"resources":[{"digest":%q,"tag":"1","resource_url":"harbor.example/team/app-%d:1"}],
		"repository":{"name":"app-%d","namespace":"team","repo_full_name":"team/app-%d","repo_type":"private"}}}`, digest, n, n, n)
}

func zotBody(id string, n int, digest string) (http.Header, string) {
	header := http.Header{
		"Content-Type": {"application/json"}, "Ce-Specversion": {"1.0"}, "Ce-Id": {id}, "Ce-Source": {"zotregistry.dev"},
		"Ce-Type": {"zotregistry.image.updated"}, "Ce-Time": {"2026-11-20T12:00:00Z"},
	}
	return header, fmt.Sprintf(`{"name":"team/app-%d","reference":"1","digest":%q,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`, n, digest)
}

func quayBody(_ string, n int, _ string) (http.Header, string) {
	return http.Header{"Content-Type": {"application/json"}}, fmt.Sprintf(
		`{"repository":"team/app-%d","namespace":"team","name":"app-%d","docker_url":"quay.example/team/app-%d","updated_tags":["1"]}`, n, n, n)
}

// stored counts the messages of the facts by their id.
func (s *storm) stored() map[string]int {
	s.t.Helper()
	counts := map[string]int{}
	for _, m := range s.messages("REGISTRY", "landwaiter.registry.>") {
		counts[m.Headers().Get("Nats-Msg-Id")]++
	}
	return counts
}

// scannedOnce waits until every image has its verdict and all facts are
// planned; then each was scanned once, for all that told of it.
func (s *storm) scannedOnce() {
	s.t.Helper()
	nc, err := nats.Connect(s.broker)
	if err != nil {
		s.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	harness.WaitFor(s.t, 4*soon, "the planning of all facts", func(ctx context.Context) error {
		stream, err := js.Stream(ctx, "REGISTRY")
		if err != nil {
			return err
		}
		left := uint64(0)
		for c := range stream.ListConsumers(ctx).Info() {
			left += c.NumPending + uint64(c.NumAckPending)
		}
		if left > 0 {
			return fmt.Errorf("%d to go", left)
		}
		return nil
	})
	harness.WaitFor(s.t, 4*soon, "all verdicts", func(context.Context) error {
		for _, digest := range s.digests {
			if s.told("scan.completed", digest) == 0 {
				return fmt.Errorf("none of %s", digest)
			}
		}
		return nil
	}, s.brokerNow, s.ingestNow)
	again := 0 // scans that a kill of the broker interrupted, whose lease ended before it was back
	for _, digest := range s.digests {
		again += s.told("scan.started", digest) - 1
	}
	if again < 0 || again > stormKills*stormSlots {
		s.t.Errorf("%d scans began again, with %d kills of the broker and %d at a time", again, stormKills, stormSlots)
	}
	reads := map[string]int{}
	for _, q := range s.registry.Requests(s.t) {
		if q.Method == http.MethodGet {
			reads[path.Base(q.Path)]++
		}
	}
	for _, digest := range s.layers {
		if reads[digest] == 0 {
			s.t.Errorf("layer %s was never read", digest)
		}
		again -= reads[digest] - 1
	}
	if again < 0 {
		s.t.Errorf("layers were read %d times more than scans began", -again)
	}
}

// told counts what was announced about an image.
func (s *storm) told(kind, digest string) int {
	s.t.Helper()
	n := 0
	for _, m := range s.messages("RESULTS", "landwaiter.result."+kind+".>") {
		if strings.Contains(string(m.Data()), digest) {
			n++
		}
	}
	return n
}
