package reference_test

import (
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/report/internal/reference"
)

const sum = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"alpine":                        "docker.io/library/alpine",
		"acme/app:1":                    "docker.io/acme/app:1",
		"docker.io/alpine:3":            "docker.io/library/alpine:3",
		"index.docker.io/library/a":     "docker.io/library/a",
		"localhost/app:1":               "localhost/app:1",
		"127.0.0.1:5000/app":            "127.0.0.1:5000/app",
		"registry.test/a/b/c:v1@" + sum: "registry.test/a/b/c:v1@" + sum,
		"registry.test:443/app@" + sum:  "registry.test/app@" + sum,
		"[::1]:5000/app:1":              "[::1]:5000/app:1",
		"registry.test/App":             "",
		"registry.test/app:":            "",
		"registry.test/app@sha256:abc":  "",
		"":                              "",
		"https://registry.test/app":     "",
		"registry.test/" + strings.Repeat("a", 2000): "",
	} {
		got, err := reference.Parse(in)
		if (err != nil) != (want == "") || err == nil && got.String() != want {
			t.Errorf("Parse(%.80q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"alpine:3", "registry.test:5000/a/b@" + sum, "[::1]:5000/app", "a:b/c", "@", ":"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := reference.Parse(s)
		if err != nil {
			return
		}
		again, err := reference.Parse(r.String())
		if err != nil || again != r {
			t.Errorf("Parse(%q) = %q, which is read as %q, %v", s, r, again, err)
		}
	})
}
