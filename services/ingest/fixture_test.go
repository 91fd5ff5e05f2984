package ingest

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/hook"
)

// expectation is what a fixture's payload must become.
type expectation struct {
	Events []normal `json:"events"`
}

// normal is an event as EXPECTED.json writes it; registry is the pull host.
type normal struct {
	Registry   string `json:"registry"`
	Repository string `json:"repository"`
	Tag        string `json:"tag"`
	Digest     string `json:"digest"`
	MediaType  string `json:"mediaType"`
	Action     string `json:"action"`
	Class      string `json:"class"`
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	Actor      string `json:"actor"`
	Time       string `json:"time"`
	Dedup      string `json:"dedup"`
}

// TestFixtures delivers recorded and published payloads of real senders. The
// folder is not part of the repository.
func TestFixtures(t *testing.T) {
	dir := os.Getenv("LANDWAITER_FIXTURES")
	if dir == "" {
		t.Skip("set LANDWAITER_FIXTURES to a folder of webhook fixtures with its EXPECTED.json")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "EXPECTED.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]expectation
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for name, want := range all {
		folder, _, _ := strings.Cut(name, "/")
		kind, ours := map[string]config.RegistryType{"distribution": config.OCI, "dockerhub": config.DockerHub}[folder]
		if ours {
			t.Run(name, func(t *testing.T) {
				body, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				fixture(t, kind, body, want.Events)
			})
		}
	}
}

func fixture(t *testing.T, kind config.RegistryType, body []byte, want []normal) {
	t.Helper()
	r := config.Registry{Name: "fixture", Type: kind}
	if kind == config.OCI {
		r.Address = "configured.example"
		if len(want) > 0 {
			r.Address = want[0].Registry
		}
	}
	var secrets hook.Secrets
	s := start(t, func(c *Config) { secrets = c.Secrets }, r)
	for range 2 { // a second delivery of the same must not become a second fact where the sender has ids
		if status, text := s.post(t, path(t, secrets, r), body); status != http.StatusAccepted && status != http.StatusOK {
			t.Fatalf("answer %d %s", status, text)
		}
	}
	var got []normal
	for _, e := range s.facts(t) {
		f, ok := e.Data().(events.RegistryEvent)
		if !ok || f.Action == events.ActionOther && len(want) == 0 {
			continue // such an event is allowed where none is expected
		}
		// A layer in a batch is not told of where the expectation has images.
		layer := func(n normal) bool { return n.Class == "layer" }
		if f.Class == events.ClassLayer && !slices.ContainsFunc(want, layer) {
			continue
		}
		got = append(got, form(f))
	}
	if kind == config.DockerHub {
		got = slices.Compact(got) // no ids: each delivery is a fact
	}
	for i := range want {
		if kind == config.DockerHub {
			want[i].Dedup = ""
		}
		if want[i].Time != "" {
			at, err := time.Parse(time.RFC3339Nano, want[i].Time)
			if err != nil {
				t.Fatal(err)
			}
			want[i].Time = at.UTC().Format(time.RFC3339Nano)
		}
		if want[i].Class == "unknown" {
			want[i].Class = ""
		}
	}
	for i := range got {
		if i >= len(want) || want[i].Class == "" && got[i].Class == "unknown" {
			got[i].Class = ""
		}
	}
	if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func form(f events.RegistryEvent) normal {
	n := normal{
		Registry: f.Host, Repository: f.Repository, Tag: f.Tag, Digest: string(f.Digest), MediaType: f.MediaType,
		Action: string(f.Action), Class: string(f.Class), OS: f.OS, Arch: f.Architecture, Actor: f.Actor, Dedup: f.DeliveryID,
	}
	if !f.OccurredAt.IsZero() {
		n.Time = f.OccurredAt.UTC().Format(time.RFC3339Nano)
	}
	return n
}
