package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// expectation is what a fixture's payload must become.
type expectation struct {
	Status json.RawMessage `json:"status"`
	Events []normal        `json:"events"`
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

// types are the registry types of the fixtures' folders.
func types() map[string]config.RegistryType {
	return map[string]config.RegistryType{
		"acr": config.ACR, "azure-eventgrid": config.ACR, "aliyun-acr": config.Alibaba, "distribution": config.OCI,
		"dockerhub": config.DockerHub, "ecr": config.ECR, "gar": config.GAR, "generic-cloudevents": config.CloudEvents,
		"ghcr": config.GHCR, "gitea": config.Gitea, "gitlab": config.GitLab, "harbor": config.Harbor, "jfrog": config.JFrog,
		"mirantis-msr": config.MSR, "nexus": config.Nexus, "quay": config.Quay, "zot": config.Zot,
	}
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
	var registries []config.Registry
	for name, want := range all {
		registries = append(registries, fixed(t, name, want))
	}
	s := start(t, func(c *Config) { c.Secrets.Getenv = func(string) string { return "fixture-secret-1" } }, registries...)
	for name, want := range all {
		t.Run(name, func(t *testing.T) { s.fixture(t, dir, name, want) })
	}
}

// fixed is the registry that a fixture's sender would be configured as.
func fixed(t *testing.T, name string, want expectation) config.Registry {
	t.Helper()
	folder, _, _ := strings.Cut(name, "/")
	kind, ok := types()[folder]
	if !ok {
		t.Fatalf("no registry type for %s", name)
	}
	r := config.Registry{Name: slug(name), Type: kind, Webhook: config.Webhook{Secret: config.SecretRef{Env: "FIXTURE"}}}
	if kind == config.DockerHub {
		return r
	}
	r.Address = "configured.example"
	if len(want.Events) > 0 && !strings.HasPrefix(want.Events[0].Registry, "<") {
		r.Address = want.Events[0].Registry
	}
	return r
}

// slug makes a fixture's name one that a registry can have.
func slug(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "f-" + hex.EncodeToString(sum[:8])
}

func (s *service) fixture(t *testing.T, dir, name string, want expectation) {
	t.Helper()
	method, header, body := http.MethodPost, http.Header{"Content-Type": {"application/json"}}, []byte(nil)
	if strings.HasSuffix(name, ".http") {
		method = http.MethodOptions
		header.Set("WebHook-Request-Origin", "eventgrid.azure.net")
	} else {
		body = read(t, filepath.Join(dir, name))
		for line := range strings.Lines(string(read(t, filepath.Join(dir, strings.TrimSuffix(name, ".json")+".headers")))) {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				header.Set(k, strings.TrimSpace(v))
			}
		}
	}
	paths := []string{"/hooks/" + slug(name) + "/fixture-secret-1", "/hooks/" + slug(name) + "/fixture-secret-1"}
	if signed(header) {
		paths[1] = "/hooks/" + slug(name)
	}
	for _, path := range paths { // a second delivery of the same must not become a second fact where the sender has ids
		status, text := s.send(t, method, path, header, body)
		if status != http.StatusAccepted && status != http.StatusOK {
			t.Fatalf("answer %d %s", status, text)
		}
		if code := string(want.Status); strings.Contains(code, "validationResponse") && !strings.Contains(text, "validationResponse") {
			t.Errorf("answer %s, want %s", text, code)
		}
	}
	compare(t, s.heard(t, slug(name)), want.Events)
}

// signed reports whether the sender signed what it sent.
func signed(h http.Header) bool {
	return slices.ContainsFunc([]string{"X-Hub-Signature-256", "X-Gitea-Signature", "X-Nexus-Webhook-Signature"}, func(name string) bool {
		return h.Get(name) != ""
	})
}

func compare(t *testing.T, heard []events.RegistryEvent, want []normal) {
	t.Helper()
	layers := slices.ContainsFunc(want, func(n normal) bool { return n.Class == "layer" })
	ids := map[string]bool{}
	var got []normal
	for _, f := range heard {
		switch {
		case f.Action == events.ActionOther && len(want) == 0: // allowed where none is expected
		case f.Class == events.ClassLayer && !layers: // a layer in a batch is not told of where the expectation has images
		case f.DeliveryID == "" && slices.Contains(got, form(f)): // no ids: each delivery is a fact
		default:
			if key := f.DeliveryID + string(f.Digest) + f.Tag + f.Repository; f.DeliveryID != "" && ids[key] {
				t.Errorf("stored twice: %s", key)
			} else {
				ids[key] = true
			}
			got = append(got, form(f))
		}
	}
	for i := range want {
		want[i] = plain(t, want[i])
	}
	for i := range got {
		if i < len(want) && want[i].Class == "" {
			got[i].Class = ""
		}
		if got[i].Class == "unknown" {
			got[i].Class = ""
		}
		if i < len(want) && strings.HasPrefix(want[i].Registry, "<") {
			want[i].Registry = got[i].Registry
		}
		if i < len(want) && got[i].Dedup != "" && !strings.Contains(want[i].Dedup, got[i].Dedup) {
			t.Errorf("delivery id %q, want %q", got[i].Dedup, want[i].Dedup)
		}
		if i < len(want) && got[i].Dedup == "" && uuidForm.MatchString(want[i].Dedup) && !strings.Contains(want[i].Dedup, "report_id") {
			t.Errorf("no delivery id, want %q", want[i].Dedup)
		}
		got[i].Dedup = ""
	}
	for i := range want {
		want[i].Dedup = ""
	}
	if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var uuidForm = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// plain makes an expectation comparable with what form returns.
func plain(t *testing.T, n normal) normal {
	t.Helper()
	if n.Time != "" {
		at, err := time.Parse(time.RFC3339Nano, n.Time)
		if err != nil {
			t.Fatal(err)
		}
		n.Time = at.UTC().Format(time.RFC3339Nano)
	}
	if n.Class == "unknown" {
		n.Class = ""
	}
	return n
}

// heard are the events of one registry.
func (s *service) heard(t *testing.T, registry string) []events.RegistryEvent {
	t.Helper()
	var list []events.RegistryEvent
	for _, e := range s.facts(t) {
		if f, ok := e.Data().(events.RegistryEvent); ok && f.Registry == registry {
			list = append(list, f)
		}
	}
	return list
}

// read returns a file, or nothing where it is not there.
func read(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return raw
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
