package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

var update = flag.Bool("update", false, "write the .want files anew")

// TestMistakes compares testdata/mistakes/*.yaml with what is said of them.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/mistakes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v, want files", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = config.Parse(filepath.Base(file), data)
			if err == nil {
				t.Fatal("got no error")
			}
			got := err.Error() + "\n"
			if *update {
				if err := os.WriteFile(file+".want", []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file + ".want")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, string(want)); diff != "" {
				t.Errorf("got(-) want(+):\n%s", diff)
			}
		})
	}
}

func TestTooLong(t *testing.T) {
	_, err := config.Parse("x", []byte("#"+strings.Repeat("x", config.MaxSize)))
	if got := config.Mistakes(err); len(got) != 1 || !strings.Contains(got[0].Message, "1048577") {
		t.Errorf("got %v, want one mistake with the size", err)
	}
}

func TestSecretNeverRepeated(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, in := range []string{
		"credentials: [{name: a, type: basic, username: u, password: " + secret + "}]",
		"credentials: [{name: a, type: basic, username: u, password: [" + secret + "]}]",
		"registries: [{name: a, webhook: {secret: " + secret + "}}]",
		"registries: [{name: a, proxy: 'http://u:" + secret + "@proxy:1'}]",
		"registries: [{name: a, proxy: 'http://u:" + secret + "@proxy:xx'}]",
	} {
		_, err := config.Parse("x", []byte(in))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v, want a mistake that does not repeat the secret", in, err)
		}
	}
}

// Every mistake of a rule that came as JSON is told by its place in there.
func TestMistakesOfJSONArePointedAt(t *testing.T) {
	_, err := config.DecodeRule([]byte(`{"name":"a","registry":"hub","colour":"red","repositories":["a","B"],"platforms":["beos"],
		"schedule":{"everyDays":2,"at":"02:00"},"scanAll":true,"pushedWithin":"tomorrow","retention":"0s","pool":"Site A","cap":-1}`))
	var got []string
	for _, m := range config.Mistakes(err) {
		pointer, _, _ := strings.Cut(m.Pointed(), ": ")
		got = append(got, pointer)
	}
	want := []string{
		`unknown key "colour" (known`, "/repositories/1", "/platforms/0", "/schedule/at", "/retention", "/pool", "/cap", "/scanAll", "/pushedWithin",
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
