package client

import (
	"slices"
	"strings"
	"testing"
)

func TestEvents(t *testing.T) {
	const stream = "retry: 2000\n\n: still here\n\nid: 7\nevent: scan.completed\ndata: {\"a\":\ndata: 1}\n\ndata:x\n\nid: 8\ndata: cut off"
	var got []Event
	if err := Events(strings.NewReader(stream), func(e Event) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	want := []Event{{ID: "7", Kind: "scan.completed", Data: "{\"a\":\n1}"}, {Data: "x"}}
	if !slices.Equal(got, want) {
		t.Errorf("events %+v, want %+v", got, want)
	}
}

func FuzzEvents(f *testing.F) {
	f.Add("id: 1\nevent: e\ndata: d\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		err := Events(strings.NewReader(stream), func(e Event) error {
			if e.Data == "" {
				t.Error("an event without data")
			}
			return nil
		})
		if err != nil && !strings.Contains(err.Error(), "too long") {
			t.Error(err)
		}
	})
}

func TestNewRefusesWhatIsNoServer(t *testing.T) {
	for _, address := range []string{"", "ftp://x", "http://", "http://user:pass@host"} {
		if _, err := New(address, ""); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
	c, err := New("localhost:8080", "")
	if err != nil || c.Address() != "http://localhost:8080" {
		t.Errorf("%v, %v", c, err)
	}
}
