package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/landwaiter/landwaiter/test/harness"
)

// browser is one tab of Debian's Chromium, closed with its test.
type browser struct {
	*testing.T
	tab func() context.Context
}

// openBrowser starts a browser without a window. What pages complain about
// fails the test.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed: apt-get install chromium")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-dev-shm-usage", true))
	ctx, closeBrowser := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, closeTab := chromedp.NewContext(ctx)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	messages, written := chromedp.Console(ctx), make(chan struct{})
	var complaints []string
	go func() {
		defer close(written)
		for m, err := range messages {
			if err != nil {
				return // the tab is closed
			}
			if m.IsException() || m.Type == "error" && !refused(m.String()) {
				complaints = append(complaints, m.String())
			}
		}
	}()
	t.Cleanup(func() {
		closeTab()
		closeBrowser()
		<-written
		for _, c := range complaints {
			t.Errorf("the browser complains: %s", c)
		}
	})
	return &browser{T: t, tab: func() context.Context { return ctx }}
}

// refused reports whether the browser tells no more than that the API refused
// what a form said, which the page shows.
func refused(message string) bool {
	return strings.HasSuffix(message, "status of 400 (Bad Request)") || strings.HasSuffix(message, "status of 412 (Precondition Failed)")
}

// do runs actions, each as a user would wait for it.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.tab(), soon)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatalf("browser: %v", err)
	}
}

// ask reads something of the page. A page that another one replaces meanwhile,
// as after a click, is read again: the browser answers with an error then.
func ask[T any](b *browser, action chromedp.Action[T]) (result T) {
	b.Helper()
	b.shows("the page to hold still", func() (err error) {
		ctx, cancel := context.WithTimeout(b.tab(), soon/4)
		defer cancel()
		result, err = chromedp.Run(ctx, action)
		return err
	})
	return result
}

// text is what a user reads of the page below the header.
func (b *browser) text() string {
	b.Helper()
	return ask(b, chromedp.Text(chromedp.CSS("#main")))
}

// rows are the cells of the page's table, as they are read.
func (b *browser) rows() [][]string {
	b.Helper()
	return ask(b, chromedp.Evaluate[[][]string](
		`[...document.querySelectorAll("#main tbody tr")].map((r) => [...r.cells].map((c) => c.innerText.trim()))`))
}

// shows waits until the page shows what the condition looks for.
func (b *browser) shows(what string, condition func() error) {
	b.Helper()
	harness.WaitFor(b.T, soon, what, func(context.Context) error { return condition() })
}

// picture keeps a picture of the whole page, where `go test -artifacts` asks
// for it.
func (b *browser) picture(name string) {
	b.Helper()
	const quality = 100 // a PNG
	raw := ask(b, chromedp.FullScreenshot(quality))
	if err := os.WriteFile(filepath.Join(b.ArtifactDir(), name+".png"), raw, 0o600); err != nil {
		b.Fatal(err)
	}
}
