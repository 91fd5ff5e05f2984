package worker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
)

func environment(vars map[string]string) app.Env {
	return app.Env{Getenv: func(name string) string { return vars[name] }}
}

func TestLimitsFromEnvironment(t *testing.T) {
	t.Parallel()
	got, err := LimitsFromEnv(environment(nil))
	if err != nil || got != layer.DefaultLimits() {
		t.Errorf("without any: %+v, %v", got, err)
	}
	got, err = LimitsFromEnv(environment(map[string]string{
		"LANDWAITER_LAYER_COMPRESSED": "1KiB", "LANDWAITER_LAYER_UNCOMPRESSED": "2KiB", "LANDWAITER_LAYER_RATIO": "3",
		"LANDWAITER_LAYER_RATIO_FROM": "4", "LANDWAITER_LAYER_ENTRIES": "5", "LANDWAITER_LAYER_PATH_LENGTH": "16",
		"LANDWAITER_LAYER_FILE": "64KiB", "LANDWAITER_LAYER_BUFFERED": "65KiB", "LANDWAITER_LAYER_PATHS": "8",
		"LANDWAITER_LAYER_PACKAGES": "9", "LANDWAITER_LAYER_FINGERPRINTS": "10", "LANDWAITER_LAYER_TIME": "11s",
		"LANDWAITER_LAYER_NESTED": "12", "LANDWAITER_LAYER_NESTED_OPENED": "13", "LANDWAITER_LAYER_NESTED_HELD": "14",
		"LANDWAITER_LAYER_FILE_TIME": "15s",
	}))
	want := Limits{
		Compressed: 1 << 10, Uncompressed: 2 << 10, Ratio: 3, RatioFrom: 4, Entries: 5, PathLength: 16, File: 64 << 10,
		Buffered: 65 << 10, Names: 8, Packages: 9, Hashed: 10, Time: 11 * time.Second,
	}
	want.Archives.Nested, want.Archives.Opened, want.Archives.Held, want.Archives.Time = 12, 13, 14, 15*time.Second
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	// Less room for all files than one may have is an order for one as well.
	if got, err = LimitsFromEnv(environment(map[string]string{"LANDWAITER_LAYER_BUFFERED": "1MiB"})); err != nil || got.Buffered != 1<<20 {
		t.Errorf("buffered alone: %+v, %v", got, err)
	}
}

func TestLimitsThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"LANDWAITER_LAYER_COMPRESSED": "lots", "LANDWAITER_LAYER_UNCOMPRESSED": "-1", "LANDWAITER_LAYER_RATIO": "1",
		"LANDWAITER_LAYER_RATIO_FROM": "1.5GiB", "LANDWAITER_LAYER_ENTRIES": "0", "LANDWAITER_LAYER_PATH_LENGTH": "3",
		"LANDWAITER_LAYER_FILE": "1", "LANDWAITER_LAYER_BUFFERED": "65TiB", "LANDWAITER_LAYER_PATHS": "1GiB",
		"LANDWAITER_LAYER_PACKAGES": "x", "LANDWAITER_LAYER_FINGERPRINTS": "400001", "LANDWAITER_LAYER_TIME": "0s",
		"LANDWAITER_LAYER_NESTED": "17", "LANDWAITER_LAYER_NESTED_OPENED": "1e9", "LANDWAITER_LAYER_NESTED_HELD": "MiB",
		"LANDWAITER_LAYER_FILE_TIME": "2d",
	} {
		env := environment(map[string]string{name: value})
		if _, err := LimitsFromEnv(env); err == nil || !strings.HasPrefix(err.Error(), name+": ") || !strings.Contains(err.Error(), value) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
		if _, err := ConfigFromEnv(env); err == nil {
			t.Errorf("%s=%s: the worker starts", name, value)
		}
	}
	_, err := ConfigFromEnv(environment(map[string]string{"LANDWAITER_LAYER_FILE": "2MiB", "LANDWAITER_LAYER_BUFFERED": "1MiB"}))
	if err == nil || !strings.Contains(err.Error(), "LANDWAITER_LAYER_FILE: 2MiB is more than LANDWAITER_LAYER_BUFFERED") {
		t.Errorf("file above buffered: %v", err)
	}
}

// A layer that is larger than may be read is in no report as if it were empty:
// the others are looked into, and the note says what was left out.
func TestLayerTooLargeIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.database(known(t, flaw{"CVE-2026-0001", "zlib", "1:1.3-1"}))
	blob := make([]byte, 64<<10)
	for i := range blob {
		blob[i] = byte(i * i >> 3) // hardly compressible
	}
	base, top := zlib(t, "1:1.2.13-1"), files(t, map[string]string{"app": string(blob)})
	size, err := base.Size()
	if err != nil {
		t.Fatal(err)
	}
	if most, err := top.Size(); err != nil || most <= size {
		t.Fatalf("the upper layer has %d bytes, the lower %d (%v)", most, size, err)
	}
	r.work(func(c *Config) {
		c.Limits = layer.DefaultLimits()
		c.Limits.Compressed = size
	})
	report := r.report(r.scanned("team/app", "1", image(t, base, top)))
	if len(report.Packages) != 1 || len(report.Findings) != 1 || report.Completeness.Complete || len(report.Completeness.Notes) != 1 {
		t.Fatalf("packages %+v, completeness %+v", report.Packages, report.Completeness)
	}
	note := report.Completeness.Notes[0]
	if want := fmt.Sprintf("%dB (LANDWAITER_LAYER_COMPRESSED)", size); note.Code != verdict.NoteLayerPartial || !strings.Contains(note.Message, want) {
		t.Errorf("note %+v, want %q", note, want)
	}
}
