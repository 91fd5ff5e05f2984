package landwaiter_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// misdeliver sends what no registry of the type would, until it is taken.
func (in *installation) misdeliver(t *testing.T, body string) {
	t.Helper()
	hook := in.command(t, "webhook", "local")
	if hook.code != 0 {
		t.Fatalf("webhook: %+v", hook)
	}
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		res, err := http.Post(strings.TrimSpace(hook.stdout), "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode/100 == 2 {
			return
		}
		if res.StatusCode != http.StatusServiceUnavailable || time.Now().After(deadline) {
			t.Fatalf("webhook answered %s", res.Status)
		}
	}
}

type letter struct {
	ID, Stream, Registry, Reason string
	Replayable                   bool
}

// deadLetters waits until there are dead letters of which none is old.
func (in *installation) deadLetters(t *testing.T, n int, old string) []letter {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		list := in.command(t, "dead", "list", "-o", "json", "--stream", "REPLAYS")
		var letters []letter
		if err := json.Unmarshal([]byte(list.stdout), &letters); err != nil || list.code != 0 {
			t.Fatalf("dead list: %+v, %v", list, err)
		}
		if len(letters) == n && letters[n-1].ID != old {
			return letters
		}
		if time.Now().After(deadline) {
			t.Fatalf("dead letters are %v, want %d and not %s", letters, n, old)
		}
	}
}

func TestDead(t *testing.T) {
	in := newInstallation(t, startRegistry(t))
	in.up(t)
	in.misdeliver(t, `{"no":"events"}`)
	first := in.deadLetters(t, 1, "")[0]
	if first.Registry != "local" || !first.Replayable || !strings.Contains(first.Reason, "not understood") {
		t.Errorf("letter %+v", first)
	}
	for _, table := range [][]string{{"dead"}, {"dead", "list"}, {"dead", "list", "--reason-contains", "not understood"}} {
		got := in.command(t, table...)
		if lines := strings.Split(strings.TrimSpace(got.stdout), "\n"); len(lines) != 2 || !strings.HasPrefix(lines[1], first.ID+" ") {
			t.Errorf("%v: %+v", table, got)
		}
	}
	if got := in.command(t, "dead", "show", first.ID); got.code != 0 || !strings.Contains(got.stdout, `"no": "events"`) {
		t.Errorf("show: %+v", got)
	}
	if got := in.command(t, "dead", "replay", first.ID); got.code != 0 || got.stdout != first.ID+" replayed\n" {
		t.Errorf("replay: %+v", got)
	}
	second := in.deadLetters(t, 1, first.ID)[0] // it is still not understood
	if got := in.command(t, "dead", "replay", "--all", "--reason-contains", "nothing like it"); got.code != 0 || got.stdout != "0 replayed\n" {
		t.Errorf("replay of none: %+v", got)
	}
	if got := in.command(t, "dead", "replay", "--all", "--stream", "REPLAYS"); got.code != 0 || got.stdout != "1 replayed\n" {
		t.Errorf("replay of all: %+v", got)
	}
	in.deadLetters(t, 1, second.ID)
	for _, wrong := range [][]string{
		{"dead", "replay"},
		{"dead", "replay", "--all", "1"},
		{"dead", "replay", "1", "--stream", "SCANS"},
		{"dead", "replay", "--stream", "SCANS"},
		{"dead", "replay", first.ID},
		{"dead", "show", first.ID},
		{"dead", "show"},
		{"dead", "bury"},
		{"dead", "list", "-o", "xml"},
	} {
		if got := in.command(t, wrong...); got.code == 0 || got.stderr == "" || got.stdout != "" {
			t.Errorf("%v: %+v", wrong, got)
		}
	}
}
