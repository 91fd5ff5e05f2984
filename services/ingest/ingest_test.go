package ingest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/hook"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

const digest = "sha256:4c1ece3897675113fe965d9aeeae2d3ced36e74af16ea0b5a2a5be82fdec214c"

// push is a Distribution notification with one pushed tag.
func push(id string) []byte {
	return fmt.Appendf(nil, `{"events":[{"id":%q,"timestamp":"2026-11-20T17:20:50Z","action":"push","target":{"mediaType":`+
		`"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":407,"repository":"team/web","tag":"1"},"request":{"host":"evil.example"}}]}`, id, digest)
}

func local() config.Registry {
	return config.Registry{Name: "local", Type: config.OCI, Address: "127.0.0.1:5000", Webhook: config.Webhook{Secret: config.SecretRef{Env: "HOOK"}}}
}

const localPath = "/hooks/local/open-sesame%2Fwith%20a%20slash"

func TestDeliveryIsStoredOnceUnderItsID(t *testing.T) {
	s := start(t, nil, local())
	for range 3 { // a sender that missed our answer
		if status, body := s.post(t, localPath, push("id-1")); status != http.StatusAccepted || strings.TrimSpace(body) != `{"accepted":1,"ignored":[]}` {
			t.Fatalf("answer %d %s", status, body)
		}
	}
	facts := s.facts(t)
	if len(facts) != 1 {
		t.Fatalf("%d events stored, want 1", len(facts))
	}
	e, ok := facts[0].Data().(events.RegistryEvent)
	if !ok || facts[0].ID() != "local/id-1" || facts[0].Source() != "landwaiter/ingest/local" ||
		e.Host != "127.0.0.1:5000" || e.Registry != "local" || e.Source != "distribution" || e.ReceivedAt.IsZero() {
		t.Errorf("event %s from %s: %+v", facts[0].ID(), facts[0].Source(), e)
	}
	if got := s.stored(t, events.Registry)[0].Subject; got != "landwaiter.registry.image.pushed.local" {
		t.Errorf("subject %s", got)
	}
}

func TestDockerHubDeliveriesAreFactsOfTheirOwn(t *testing.T) {
	var secrets hook.Secrets
	hub := config.Registry{Name: "hub"}
	s := start(t, func(c *Config) { secrets = c.Secrets }, hub)
	body := []byte(`{"push_data":{"tag":"1","pushed_at":1497467660},"repository":{"repo_name":"alpine"}}`)
	for range 2 {
		if status, text := s.post(t, path(t, secrets, hub), body); status != http.StatusAccepted {
			t.Fatalf("answer %d %s", status, text)
		}
	}
	facts := s.facts(t)
	if len(facts) != 2 || facts[0].ID() == facts[1].ID() || facts[0].About() != "docker.io/library/alpine:1" {
		t.Errorf("stored %v", facts)
	}
}

func TestAnswers(t *testing.T) {
	off, yes := false, true
	quiet := local()
	quiet.Name, quiet.Webhook.Enabled = "quiet", &off
	ruled := local()
	ruled.Name, ruled.Webhook.Enabled = "ruled", &off
	broken := local()
	broken.Name, broken.Webhook.Secret = "broken", config.SecretRef{Env: "NONE"}
	s := start(t, func(c *Config) { c.BodyLimit = 4096 }, local(), quiet, ruled, broken)
	rule := state.Managed[config.Rule]{Value: config.Rule{Name: "r", Registry: "ruled", OnPush: &yes}}
	if _, err := s.store.Rules.Create(t.Context(), failpoint.ConfigRule, "r", rule); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return strings.Replace(localPath, "local", name, 1) }
	s.until(t, "the rule is known", func() bool {
		status, _ := s.post(t, at("ruled"), push("ruled"))
		return status == http.StatusAccepted
	})
	for _, tt := range []struct {
		name, path, body string
		want             int
		text             string
	}{
		{"unknown registry", at("nobody"), "{}", 401, "no such registry, or not authentic"},
		{"wrong secret", "/hooks/local/wrong", "{}", 401, "no such registry, or not authentic"},
		{"blank secret", "/hooks/local/", "{}", 404, ""},
		{"no secret", "/hooks/local", "{}", 401, ""},
		{"another registry's name", "/hooks/broken/", "{}", 404, ""},
		{"a registry whose secret is missing", at("broken"), "{}", 401, ""},
		{"elsewhere", "/", "{}", 404, ""},
		{"webhooks off", at("quiet"), string(push("x")), 200, `"webhooks are off for this registry"`},
		{"not understood", localPath, "<xml/>", 200, `"body not understood"`},
		{"nothing in it", localPath, `{"events":[]}`, 200, `{"accepted":0,"ignored":[]}`},
		{"too large", localPath, strings.Repeat(" ", 4097), 413, "body over the limit"},
		{"just not too large", localPath, strings.Repeat(" ", 4096-len(push("y"))) + string(push("y")), 202, `"accepted":1`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if status, text := s.post(t, tt.path, []byte(tt.body)); status != tt.want || !strings.Contains(text, tt.text) {
				t.Errorf("answer %d %s, want %d %s", status, text, tt.want, tt.text)
			}
		})
	}
	res, err := client().Get(s.url + localPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %s, %v", res.Status, err)
	}
	dead := s.stored(t, events.Dead)
	if len(dead) != 1 || string(dead[0].Data) != "<xml/>" || !strings.Contains(dead[0].Header.Get("Landwaiter-Dead-Reason"), "registry local not understood as distribution") {
		t.Errorf("%d dead letters", len(dead))
	}
	for _, word := range []string{"open-sesame", "with%20a"} {
		if strings.Contains(s.log.String(), word) {
			t.Errorf("the log holds the secret:\n%s", s.log)
		}
	}
}

func TestSettingsAreFollowed(t *testing.T) {
	s := start(t, nil)
	if status, _ := s.post(t, localPath, push("1")); status != http.StatusUnauthorized {
		t.Errorf("before there is a registry: %d", status)
	}
	rec, err := s.store.Registries.Create(t.Context(), failpoint.ConfigRegistry, "local", state.Managed[config.Registry]{Value: local()})
	if err != nil {
		t.Fatal(err)
	}
	s.until(t, "registry known", func() bool { status, _ := s.post(t, localPath, push("1")); return status == http.StatusAccepted })
	if err := s.store.Registries.Delete(t.Context(), failpoint.ConfigRegistry, rec); err != nil {
		t.Fatal(err)
	}
	s.until(t, "registry forgotten", func() bool { status, _ := s.post(t, localPath, push("1")); return status == http.StatusUnauthorized })
}

// A sender that is told yes may forget the delivery. So whatever was answered
// with 2xx while the broker came and went must be in the stream, and everything
// gets through in the end.
func TestAcceptedMeansStored(t *testing.T) {
	s := start(t, nil, local())
	var mu sync.Mutex
	accepted := map[string]bool{}
	refusals := 0
	const senders, each = 4, 25
	var running sync.WaitGroup
	half, away := make(chan struct{}, senders), make(chan struct{})
	for n := range senders {
		running.Go(func() {
			for i := range each {
				if i == each/2 {
					half <- struct{}{}
				}
				if n == 0 && i == each/2 {
					<-away // one at least meets no broker; the others may be in the middle of it
				}
				id := fmt.Sprintf("%d-%d", n, i)
				s.until(t, "delivery "+id, func() bool {
					status, _ := s.post(t, localPath, push(id))
					mu.Lock()
					defer mu.Unlock()
					switch status {
					case http.StatusAccepted:
						accepted["local/"+id] = true
						return true
					case http.StatusServiceUnavailable:
						refusals++
					default:
						t.Errorf("answer %d", status)
					}
					return false
				})
			}
		})
	}
	<-half
	s.broker.stop()
	close(away)
	s.until(t, "a refusal", func() bool { mu.Lock(); defer mu.Unlock(); return refusals > 0 })
	s.broker.start(t)
	running.Wait()
	s.until(t, "broker back for the test", s.bus.Connected)
	var ids []string
	for _, e := range s.facts(t) {
		ids = append(ids, e.ID())
	}
	for id := range accepted {
		if !slices.Contains(ids, id) {
			t.Errorf("%s was accepted and is not stored", id)
		}
	}
	slices.Sort(ids)
	if len(slices.Compact(slices.Clone(ids))) != len(ids) || len(accepted) != senders*each {
		t.Errorf("%d accepted, %d stored, some twice", len(accepted), len(ids))
	}
}

func TestHostileSenders(t *testing.T) {
	s := start(t, func(c *Config) { c.ReadTimeout = 300 * time.Millisecond }, local())
	answer := func(request string) string {
		t.Helper()
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			return "cut off" // the server closed while it was being written
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			return "cut off"
		}
		return line
	}
	post := "POST " + localPath + " HTTP/1.1\r\nHost: x\r\n"
	if got := answer(post + "Content-Length: 100\r\n\r\n{"); !strings.Contains(got, "408") && got != "cut off" {
		t.Errorf("half a body and then nothing: %s", got)
	}
	if got := answer(post); got != "cut off" && !strings.Contains(got, "408") {
		t.Errorf("half a header and then nothing: %s", got)
	}
	if got := answer(post + strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\r\n", 200) + "\r\n"); !strings.Contains(got, "431") && got != "cut off" {
		t.Errorf("200 KB of headers: %s", got)
	}
	if got := answer(post + "Content-Length: 99999999999\r\n\r\n" + strings.Repeat("x", 3<<20)); !strings.Contains(got, "413") && got != "cut off" {
		t.Errorf("a body without end: %s", got)
	}
	if status, text := s.post(t, localPath, push("after")); status != http.StatusAccepted {
		t.Errorf("an honest sender after them: %d %s", status, text)
	}
}

func TestTooManyAtOnce(t *testing.T) {
	s := start(t, func(c *Config) { c.Memory = least }, local())
	hold, release := io.Pipe()
	done := make(chan int, 1)
	go func() {
		res, err := client().Post(s.url+localPath, "application/json", hold)
		if err != nil {
			done <- 0
			return
		}
		_ = res.Body.Close()
		done <- res.StatusCode
	}()
	s.until(t, "429 while the room is taken", func() bool {
		status, _ := s.post(t, localPath, push("b"))
		return status == http.StatusTooManyRequests
	})
	if _, err := io.Copy(release, bytes.NewReader(push("a"))); err != nil {
		t.Fatal(err)
	}
	if err := release.Close(); err != nil {
		t.Fatal(err)
	}
	if status := <-done; status != http.StatusAccepted {
		t.Errorf("the one that held the room: %d", status)
	}
}

func TestStopFinishesWhatIsInHand(t *testing.T) {
	s := start(t, nil, local())
	body, write := io.Pipe()
	done := make(chan int, 1)
	go func() {
		res, err := client().Post(s.url+localPath, "application/json", body)
		if err != nil {
			done <- 0
			return
		}
		_ = res.Body.Close()
		done <- res.StatusCode
	}()
	raw := push("last")
	if _, err := write.Write(raw[:1]); err != nil { // returns once the request is on its way
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	if _, err := write.Write(raw[1:]); err != nil {
		t.Fatal(err)
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	// Either it was in hand, and then it is finished, or it came too late.
	if status := <-done; status == http.StatusAccepted {
		if got := len(s.facts(t)); got != 1 {
			t.Errorf("accepted, and %d events stored", got)
		}
	} else if status != 0 {
		t.Errorf("answer %d", status)
	}
}
