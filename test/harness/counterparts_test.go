package harness

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// notification is what these tests read of Distribution's envelope.
type notification struct {
	Events []struct {
		Action string
		Target struct{ Repository, Tag, Digest string }
	}
}

func TestRegistryNotifiesAndLogs(t *testing.T) {
	EndToEnd(t)
	received := make(chan notification, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n notification
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil || r.Header.Get("X-Secret") != "sesame" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		received <- n
	}))
	defer receiver.Close()
	options := RegistryOptions{Notify: Notify{URL: receiver.URL, Headers: map[string]string{"X-Secret": "sesame"}}}
	registry := StartRegistry(t, options)

	root := Debian(t, "curl", "libexpat1")
	base := root.Image(t)
	begun := time.Now()
	digest := registry.Push(t, "team/app:1", base)
	t.Logf("push took %v", time.Since(begun).Round(time.Millisecond))
	awaitPush(t, received, digest.String())

	source := func(p DebianPackage) bool {
		return p.Name == "libexpat1" && p.Source == "expat" && p.SourceVersion != ""
	}
	if !slices.ContainsFunc(root.Packages(t), source) {
		t.Error("dpkg knows no libexpat1 of source expat")
	}

	second := Append(t, base, Files(t, map[string]string{"srv/app": "two"}), "COPY app /srv/app")
	awaitPush(t, received, registry.Push(t, "team/app:2", second).String())
	put := func(r Request) bool {
		return r.Method == http.MethodPut && r.Path == "/v2/team/app/manifests/2" && r.Status == 201
	}
	if !slices.ContainsFunc(registry.Requests(t), put) {
		t.Error("the access log does not show the second push")
	}

	host := registry.Host
	registry.Restart(t, options)
	if registry.Host != host {
		t.Errorf("restarted at %s, was at %s", registry.Host, host)
	}
	registry.Delete(t, "team/app@"+digest.String())
	if _, err := remote.Head(registry.Reference(t, "team/app@"+digest.String())); err == nil {
		t.Error("the deleted image is still there")
	}
	if !slices.ContainsFunc(registry.Requests(t), put) {
		t.Error("the access log forgot what was before the restart")
	}
}

func TestRedisAnswers(t *testing.T) {
	EndToEnd(t)
	server := StartRedis(t)
	if err := server.Client(t).Set(t.Context(), "k", "v", time.Minute).Err(); err != nil {
		t.Errorf("set: %v", err)
	}
	server.Kill()
	never := func(context.Context) error { return errors.New("not there") }
	if err := Wait(t.Context(), time.Minute, never, server); err == nil {
		t.Error("a dead server was not noticed")
	}
}

func awaitPush(t *testing.T, received <-chan notification, digest string) {
	t.Helper()
	timeout := time.NewTimer(20 * time.Second)
	defer timeout.Stop()
	for {
		select {
		case n := <-received:
			for _, e := range n.Events {
				if e.Action == "push" && e.Target.Digest == digest && e.Target.Tag != "" {
					return
				}
			}
		case <-timeout.C:
			t.Fatalf("no push of %s was notified", digest)
		}
	}
}
