package landwaiter_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/landwaiter"
)

// The whole pipeline in one process: a push, by webhook, becomes a report.
func TestPushBecomesReport(t *testing.T) {
	reg := startRegistry(t)
	in := newInstallation(t, reg)
	in.up(t)
	events := in.watch(t)
	digest := reg.push(t, "team/app:1.0", debian(t))
	in.notify(t, reg.host, "team/app", "1.0", digest)
	for line := ""; !strings.Contains(line, "scan.completed"); {
		line = events(t)
	}
	ref := reg.host + "/team/app:1.0"

	t.Run("images", func(t *testing.T) {
		got := in.command(t, "images")
		golden(t, "images.txt", reg.host, got.stdout)
	})
	t.Run("report", func(t *testing.T) {
		got := in.command(t, "report", ref)
		if got.code != 0 {
			t.Errorf("code %d: %s", got.code, got.stderr)
		}
		golden(t, "report.txt", reg.host, got.stdout)
	})
	t.Run("report by digest", func(t *testing.T) {
		if got := in.command(t, "report", digest); got.code != 0 || !strings.Contains(got.stdout, "CVE-2001-0001") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("vulnerability", func(t *testing.T) {
		golden(t, "vulnerability.txt", reg.host, in.command(t, "vulnerability", "CVE-2001-0001").stdout)
	})
	t.Run("scan", func(t *testing.T) {
		got := in.command(t, "scan", "--fail-on", "critical", ref)
		if got.code != 2 {
			t.Errorf("code %d, want 2: %s", got.code, got.stderr)
		}
		golden(t, "report.txt", reg.host, got.stdout)
	})
	t.Run("get", func(t *testing.T) {
		golden(t, "registries.txt", reg.host, in.command(t, "get", "registries").stdout)
		golden(t, "rules.txt", reg.host, in.command(t, "get", "rules").stdout)
	})
	t.Run("local scans find the same", func(t *testing.T) { sameLocally(t, in, ref) })
	t.Run("locked", func(t *testing.T) {
		got := in.command(t, "up", "--data", in.data)
		if got.code != 1 || !strings.Contains(got.stderr, "in use by process") || !strings.Contains(got.stderr, "--data") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("started again", func(t *testing.T) {
		if code := in.stop(); code != 0 {
			t.Fatalf("stop: %d", code)
		}
		// Without a redis-server the view is kept in this process; either way it
		// is rebuilt.
		t.Setenv("PATH", t.TempDir())
		token := in.token
		in.up(t)
		if in.token != token {
			t.Error("another token was announced")
		}
		got := in.command(t, "report", ref)
		if got.code != 0 {
			t.Errorf("report: %+v", got)
		}
		golden(t, "report.txt", reg.host, got.stdout)
	})
}

// watch runs the watch command and returns what reads its next line.
func (in *installation) watch(t *testing.T) func(*testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	out, stdout := io.Pipe()
	told, stderr := io.Pipe()
	go func() {
		_ = landwaiter.Run(ctx, landwaiter.Env{
			Program: "landwaiter", Getenv: in.getenv, Stdout: stdout, Stderr: stderr, Args: []string{"watch"},
		})
		_ = stdout.Close()
		_ = stderr.Close()
	}()
	first := bufio.NewScanner(told)
	if !first.Scan() || !strings.Contains(first.Text(), "watching") {
		t.Fatalf("watch: %q", first.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, told) }()
	lines := bufio.NewScanner(out)
	return func(t *testing.T) string {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("watch ended")
		}
		return lines.Text()
	}
}

// reportOf decodes a command's report.
func reportOf(t *testing.T, got result) verdict.Report {
	t.Helper()
	var r verdict.Report
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatalf("%+v: %v", got, err)
	}
	r.ScannedAt, r.MatchedAt = time.Time{}, time.Time{}
	r.Image = verdict.Image{Digest: r.Image.Digest, Platform: r.Image.Platform}
	return r
}

func sameReport(t *testing.T, what string, want, got verdict.Report) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-pipeline +local):\n%s", what, diff)
	}
}
