package landwaiter_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestApply(t *testing.T) {
	in := newInstallation(t, startRegistry(t))
	// Without a redis-server the view is kept in this process.
	t.Setenv("PATH", t.TempDir())
	in.up(t)
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "doc.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		name string
		doc  string
		code int
		says []string // on either stream
	}{
		{
			"created", "registries:\n  - {name: other, address: registry.example}\nrules:\n  - {name: r, registry: other}\n  - {name: s, registry: local}\n",
			0,
			[]string{"registry other created", "rule r created", "rule s created"},
		},
		{"replaced", "rules:\n  - {name: r, registry: other, tags: [latest]}\n", 0, []string{"rule r replaced"}},
		{
			"all mistakes at once", "registries:\n  - {name: Bad Name, address: x}\nrules:\n  - {name: r, registry: nowhere}\nsurplus: 1\n",
			1,
			[]string{"Bad Name", "nowhere", "surplus"},
		},
		{
			"credentials", "credentials:\n  - {name: c, type: basic, username: u, password: {env: P}}\nrules:\n  - {name: never, registry: other}\n",
			1,
			[]string{"credentials: they belong to the services' own configuration"},
		},
		{"the file's", "rules:\n  - {name: all, registry: local}\n", 1, []string{"rule all"}},
		{"nothing", "{}\n", 1, []string{"nothing was changed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := in.command(t, "apply", "-f", file(tt.doc))
			for _, want := range tt.says {
				if !strings.Contains(got.stdout+got.stderr, want) {
					t.Errorf("no %q in %+v", want, got)
				}
			}
			if got.code != tt.code {
				t.Errorf("code %d, want %d: %+v", got.code, tt.code, got)
			}
		})
	}
	if got := in.command(t, "get", "rules"); strings.Contains(got.stdout, "never") {
		t.Errorf("a refused document was applied in part:\n%s", got.stdout)
	}
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"delete", "registry", "other"}, 1, "named by rules: r"},
		{[]string{"delete", "rule", "r"}, 0, "rule r deleted"},
		{[]string{"delete", "registry", "other"}, 0, "registry other deleted"},
		{[]string{"get", "rule", "r"}, 1, "no rule r"},
		{[]string{"get", "rules", "s"}, 0, `"registry": "local"`},
		{[]string{"get", "credentials"}, 1, "never pass through the API"},
		{[]string{"sweep", "s"}, 0, "sweeps show s"},
		{[]string{"sweep"}, 1, "name a rule"},
		{[]string{"sweep", "s", "--registry", "local"}, 1, "name a rule"},
		{[]string{"sweep", "--registry", "nowhere"}, 1, "no registry nowhere"},
		{[]string{"sweep", "s", "--tag", "1*"}, 1, "not for the sweep of a rule"},
		{[]string{"sweep", "--registry", "local", "--pushed-within", "soon"}, 1, "--pushed-within"},
		{[]string{"sweep", "--registry", "local", "--tag", "a/b"}, 1, "no slash"},
		{[]string{"sweeps", "cancel", "none"}, 1, "no sweep none"},
		{[]string{"sweeps", "restart", "--failed", "none"}, 1, "no sweep none"},
		{[]string{"sweeps", "delete", "none"}, 1, "no sweep none"},
		{[]string{"sweeps"}, 0, "SWEEP"},
		{[]string{"sweeps", "list", "-o", "json"}, 0, "["},
		{[]string{"rebuild"}, 0, "0 images"},
		{[]string{"images"}, 0, "no image fits"},
		{[]string{"images", "--status", "9"}, 1, "not a number from 0 to 6"},
		{[]string{"report", "registry.example/none:1"}, 1, "is not known"},
		{[]string{"scan", "registry.example/none:1"}, 1, "--local"},
		{[]string{"scan", "--fail-on", "grave", "x"}, 1, "grave"},
		{[]string{"scan", "-o", "xml", "x"}, 1, "xml"},
		{[]string{"frobnicate"}, 1, "no command frobnicate"},
		{[]string{"version"}, 0, "landwaiter"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			if got := in.command(t, tt.args...); got.code != tt.code || !strings.Contains(got.stdout+got.stderr, tt.says) {
				t.Errorf("want code %d and %q: %+v", tt.code, tt.says, got)
			}
		})
	}
}

func TestNoPipeline(t *testing.T) {
	in := &installation{env: map[string]string{"LANDWAITER_URL": "http://127.0.0.1:1"}}
	if got := in.command(t, "images"); got.code != 1 || !strings.Contains(got.stderr, "landwaiter up") {
		t.Errorf("%+v", got)
	}
}

// Each is refused before anything is asked or read.
func TestRefusedArguments(t *testing.T) {
	large := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(large, bytes.Repeat([]byte("x"), 5<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	in := &installation{env: map[string]string{}}
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"scan", "--local", "--force", "x"}, "--force"},
		{[]string{"scan", "--local", "--refetch", "x"}, "--refetch"},
		{[]string{"sweeps", "-o", "xml"}, "xml"},
		{[]string{"images", "--token-file", large}, "too long"},
	} {
		if got := in.command(t, tt.args...); got.code != 1 || !strings.Contains(got.stderr, tt.says) {
			t.Errorf("%q: want code 1 and %q: %+v", tt.args, tt.says, got)
		}
	}
}

func TestWrongToken(t *testing.T) {
	in := newInstallation(t, startRegistry(t))
	in.up(t)
	in.env["LANDWAITER_TOKEN"] = "lw_wrong"
	if got := in.command(t, "images"); got.code != 1 || !strings.Contains(got.stderr, "LANDWAITER_TOKEN") {
		t.Errorf("%+v", got)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(in.token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := in.command(t, "images", "--token-file", file); got.code != 0 {
		t.Errorf("%+v", got)
	}
}

func TestUpRefusesMistakes(t *testing.T) {
	in := &installation{env: map[string]string{"LANDWAITER_LEASE": "soon", "LANDWAITER_REPLICAS": "none"}}
	got := in.command(t, "up", "--data", t.TempDir(), "--http", "nowhere")
	for _, want := range []string{"LANDWAITER_LEASE", "LANDWAITER_REPLICAS", "LANDWAITER_HTTP"} {
		if strings.Count(got.stderr, want) != 1 {
			t.Errorf("%s is named %d times in %q", want, strings.Count(got.stderr, want), got.stderr)
		}
	}
}
