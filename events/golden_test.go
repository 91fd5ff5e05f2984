package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/events"
)

var update = flag.Bool("update", false, "write the golden files anew")

func diffOf(want, got any) string { return cmp.Diff(want, got) }

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if diff := diffOf(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got), renew it with -update if that is meant:\n%s", file, diff)
	}
}

// wire is a message as lines: subject, headers by name, data.
func wire(m events.Message) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", m.Subject)
	var headers []string
	for name, values := range m.Header {
		headers = append(headers, name+": "+strings.Join(values, ", "))
	}
	slices.Sort(headers)
	fmt.Fprintf(&b, "%s\n\n%s\n", strings.Join(headers, "\n"), m.Data)
	return b.Bytes()
}

func TestGoldenAndRoundTrip(t *testing.T) {
	if got, want := len(examples()), len(events.Kinds()); got != want {
		t.Errorf("%d examples for %d kinds", got, want)
	}
	for _, kind := range events.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			want := newEvent(t, examples()[kind], meta())
			if want.Kind() != kind {
				t.Fatalf("Kind() = %s", want.Kind())
			}
			binary := events.Topology{}.Encode(want)
			golden(t, string(kind)+".txt", wire(binary))
			raw, err := want.JSON()
			if err != nil {
				t.Fatal(err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, raw, "", "  "); err != nil {
				t.Fatal(err)
			}
			golden(t, string(kind)+".json", append(pretty.Bytes(), '\n'))

			for mode, message := range map[string]events.Message{"binary": binary, "structured": structured(pretty.String())} {
				got, err := events.Decode(message)
				if err != nil {
					t.Fatalf("decode %s: %v", mode, err)
				}
				checkEqual(t, got, want)
				again := events.Topology{}.Encode(got)
				if diff := diffOf(string(wire(binary)), string(wire(again))); diff != "" && mode == "binary" {
					t.Errorf("%s encodes to another message (-first +second):\n%s", mode, diff)
				}
			}
		})
	}
}

// A golden without a kind is one that is no longer tested.
func TestGoldensHaveKinds(t *testing.T) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		kind := strings.TrimSuffix(strings.TrimSuffix(file.Name(), ".json"), ".txt")
		if !file.IsDir() && !slices.Contains(events.Kinds(), events.Kind(kind)) {
			t.Errorf("testdata/%s is of no kind", file.Name())
		}
	}
}
