package harness

import (
	"context"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// compileLimit allows for a program of hundreds of packages on a busy machine.
const compileLimit = 10 * time.Minute

// Install is the path of a program that `go install` made of a module of the
// proxy, such as "github.com/nats-io/nats-server/v2@v2.15.2". Its dependencies
// are its own, none is the project's. It is made once and then taken from the
// cache. Without the module proxy the test is skipped; a program that cannot be
// built fails it.
func Install(tb testing.TB, program string) string {
	tb.Helper()
	dir := filepath.Join(cache(tb), "go", strings.ReplaceAll(program, "/", "-"))
	unlock := lock(tb, cacheLock(tb, dir))
	defer unlock()
	command, _, _ := strings.Cut(program, "@")
	made := filepath.Join(dir, path.Base(command))
	if _, err := os.Stat(made); err == nil {
		return made
	}
	// Under another name until it is whole.
	making := dir + ".making"
	if err := os.RemoveAll(making); err != nil {
		tb.Fatalf("remove what an earlier run left: %v", err)
	}
	if err := os.MkdirAll(making, 0o755); err != nil {
		tb.Fatalf("make folder: %v", err)
	}
	compile(tb, making, "install", "-trimpath", program)
	if err := os.Rename(making, dir); err != nil {
		tb.Fatalf("keep %s: %v", program, err)
	}
	return made
}

// compile runs the go command in a folder that is also its GOBIN.
func compile(tb testing.TB, dir string, args ...string) {
	tb.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(tb.Context(), compileLimit)
	defer cancel()
	result := Run(ctx, tb, Command{Path: installed(tb, "go", "golang-go"), Args: args, Dir: dir, Env: []string{"CGO_ENABLED=0", "GOBIN=" + dir}})
	if result.Code != 0 {
		needProxy(tb)
		tb.Fatalf("go %v: exit code %d\n%s", args, result.Code, tail(result.Stderr, 20))
	}
	tb.Logf("go %v took %v", args, time.Since(begun).Round(time.Second))
}

// needProxy skips the test when the module proxy does not answer at all.
func needProxy(tb testing.TB) {
	tb.Helper()
	result := Run(tb.Context(), tb, Command{Path: installed(tb, "go", "golang-go"), Args: []string{"env", "GOPROXY"}})
	proxy := strings.TrimSpace(strings.FieldsFunc(result.Stdout+",", func(r rune) bool { return r == ',' || r == '|' })[0])
	if !strings.HasPrefix(proxy, "http") {
		tb.Skipf("no module proxy: GOPROXY is %q", proxy)
	}
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, proxy+"/golang.org/x/mod/@v/list", http.NoBody)
	if err != nil {
		tb.Fatalf("module proxy %s: %v", proxy, err)
	}
	res, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		tb.Skipf("the module proxy cannot be reached: %v", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	_ = res.Body.Close()
}

// cacheLock is the lock file of something in the cache, whose folder it makes.
func cacheLock(tb testing.TB, name string) string {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		tb.Fatalf("cache folder: %v", err)
	}
	return name + ".lock"
}
