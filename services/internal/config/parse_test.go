package config_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

func load(t *testing.T, name string) config.Document {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	d, err := config.Parse(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestParseSample(t *testing.T) {
	yes := true
	month := config.Duration(30 * 24 * time.Hour)
	want := config.Document{
		Defaults:   config.Defaults{EveryDays: 1, Retention: month, Webhooks: &yes},
		Registries: []config.Registry{{Name: "hub", Type: config.DockerHub, Credential: "hub-reader"}},
		Credentials: []config.Credential{{
			Name: "hub-reader", Type: config.BasicCredential, Username: "reader",
			Password: config.SecretRef{Env: "HUB_PASSWORD"},
		}},
		Rules: []config.Rule{{
			Name: "nightly", Registry: "hub", Repositories: []string{"library/*", "acme/*"},
			Platforms: []string{"linux/amd64"}, OnPush: &yes,
			Schedule: config.Schedule{EveryDays: 1, At: "02:00", Timezone: "Europe/Berlin"},
			Cap:      5, PushedWithin: config.Within(30 * 24 * time.Hour), Scanners: 4, Retention: month,
		}},
	}
	if diff := cmp.Diff(load(t, "sample.yaml"), want); diff != "" {
		t.Errorf("got(-) want(+):\n%s", diff)
	}
}

func TestParseEmpty(t *testing.T) {
	for _, in := range []string{"", "# nothing\n", "---\n", "rules:\n", "null"} {
		d, err := config.Parse("x.yaml", []byte(in))
		if err != nil || len(d.Rules) != 0 {
			t.Errorf("%q: got %+v, %v, want an empty document", in, d, err)
		}
	}
}

func TestFormatRoundTrip(t *testing.T) {
	for _, name := range []string{"sample.yaml", "full.yaml"} {
		d := load(t, name)
		out, err := config.Format(d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := config.Parse("formatted", out)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if diff := cmp.Diff(again, d); diff != "" {
			t.Errorf("%s: got(-) want(+):\n%s\n%s", name, diff, out)
		}
		if strings.Contains(string(out), "{") {
			t.Errorf("%s: got flow style, want blocks:\n%s", name, out)
		}
	}
}

func TestParseWithKnown(t *testing.T) {
	rule := []byte("rules: [{name: a, registry: hub}]")
	if _, err := config.Parse("x", rule); err != nil {
		t.Errorf("nothing known: got %v, want no error", err)
	}
	if _, err := config.ParseWith("x", rule, config.Known{Registries: []string{"hub"}}); err != nil {
		t.Errorf("known: got %v, want no error", err)
	}
	if _, err := config.ParseWith("x", rule, config.Known{Registries: []string{}}); err == nil {
		t.Error("known to be none: got no error")
	}
}

func TestDecodeJSON(t *testing.T) {
	rule, err := config.DecodeRule([]byte(`{"name":"a","registry":"hub","pushedWithin":"12h","onPush":false}`))
	if err != nil || rule.PushedWithin != config.Within(12*time.Hour) || rule.OnPush == nil || *rule.OnPush {
		t.Errorf("rule: got %+v, %v", rule, err)
	}
	reg, err := config.DecodeRegistry([]byte(`{"name":"a","address":"ghcr.io","type":"ghcr"}`))
	if err != nil || reg.Host() != "ghcr.io" {
		t.Errorf("registry: got %+v, %v", reg, err)
	}
	for name, in := range map[string]string{
		"YAML":        "name: a\nregistry: hub\n",
		"unknown key": `{"name":"a","registry":"hub","tag":["x"]}`,
		"twice":       `{"name":"a","name":"b","registry":"hub"}`,
		"trailing":    `{"name":"a","registry":"hub"} {}`,
		"wrong type":  `{"name":"a","registry":"hub","cap":"5"}`,
		"list":        `[]`,
		"empty":       ``,
		"null":        `null`,
	} {
		if _, err := config.DecodeRule([]byte(in)); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"sample.yaml", "full.yaml"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &a [*a]\nrules: [{name: !!binary x, cap: 1e3}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := config.Parse("fuzz", data)
		if err != nil {
			if len(config.Mistakes(err)) == 0 {
				t.Fatalf("error without mistakes: %v", err)
			}
			return
		}
		out, err := config.Format(d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := config.Parse("formatted", out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		once, err := config.Format(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(once), string(out)); diff != "" {
			t.Fatalf("got(-) want(+):\n%s", diff)
		}
	})
}
