package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/landwaiter/landwaiter/test/harness"
)

// TestConfirmCredential leads a registry that came by the API to another
// address: the new one hears nothing until an admin confirms it, and is read
// with the credential then.
func TestConfirmCredential(t *testing.T) {
	harness.EndToEnd(t)
	image := harness.Append(t, empty.Image, harness.Files(t, map[string]string{"app/VERSION": "1"}), "COPY VERSION /app/")
	var registries []*harness.Registry
	for range 2 {
		r := harness.StartRegistry(t, harness.RegistryOptions{})
		r.Push(t, "team/app:1", image)
		r.Restart(t, harness.RegistryOptions{HTPasswd: readerLine})
		registries = append(registries, r)
	}
	in := &installation{t: t, data: t.TempDir(), env: []string{"RIGHT=right"}}
	in.config = filepath.Join(t.TempDir(), "landwaiter.yaml")
	in.console, in.hooks = "http://"+free(t), "http://"+free(t)
	in.write(fmt.Sprintf(`credentials:
  - {name: reader, type: basic, username: reader, password: {env: RIGHT}}
registries:
  - {name: first, address: "http://%s", credential: reader}
rules: []
`, registries[0].Host))
	in.start()
	apply := func(r *harness.Registry) harness.Result {
		t.Helper()
		file := filepath.Join(t.TempDir(), "doc.yaml")
		doc := fmt.Sprintf("registries:\n  - {name: mine, address: \"http://%s\", credential: reader}\n", r.Host)
		if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
		return in.command("apply", "-f", file)
	}
	test := func(code int, says string) {
		t.Helper()
		harness.WaitFor(t, soon, "the registry's test to say "+says, func(context.Context) error {
			out := in.command("registries", "test", "mine", "--repository", "team/app")
			if out.Code != code || !strings.Contains(out.Stdout, says) {
				return errors.New(out.Stdout + out.Stderr) // a change takes a moment to reach the worker
			}
			return nil
		}, in.up)
	}
	if out := apply(registries[0]); out.Code != 0 || strings.Contains(out.Stderr, "confirm") {
		t.Errorf("where the configuration file sends the credential: %+v", out)
	}
	test(0, "1 tag in team/app")

	before := len(registries[1].Requests(t))
	out := apply(registries[1])
	if out.Code != 0 || !strings.Contains(out.Stdout, "registry mine replaced") || !strings.Contains(out.Stderr, "landwaiter registries confirm mine") {
		t.Errorf("another address: %+v", out)
	}
	if out := in.command("get", "registries"); !strings.Contains(out.Stdout, "reader (unconfirmed)") {
		t.Errorf("the list does not tell:\n%s", out.Stdout)
	}
	test(1, "unconfirmed")
	if got := len(registries[1].Requests(t)); got != before {
		t.Errorf("the new address was asked %d times before it was confirmed", got-before)
	}
	t.Run("in the browser", func(t *testing.T) { in.confirmedByHand(t, registries[1].Host) })
	test(0, "1 tag in team/app")
	apply(registries[0]) // confirmed by the configuration file
	apply(registries[1]) // and away again: what was confirmed once is not for ever
	test(1, "unconfirmed")
	if out := in.command("registries", "confirm", "mine"); out.Code != 0 || !strings.Contains(out.Stdout, registries[1].Host) {
		t.Errorf("confirm: %+v", out)
	}
	test(0, "1 tag in team/app")
	if out := in.command("get", "registries"); strings.Contains(out.Stdout, "unconfirmed") {
		t.Errorf("the list still tells:\n%s", out.Stdout)
	}
}

// confirmedByHand presses the button beside what is said of the registry.
func (in *installation) confirmedByHand(t *testing.T, host string) {
	t.Helper()
	b := openBrowser(t)
	in.logIn(b)
	b.do(chromedp.Navigate(in.console+"/registries/mine"), chromedp.WaitVisible(chromedp.CSS(`button[data-confirm]`)))
	if text := b.text(); !strings.Contains(text, "unconfirmed") || !strings.Contains(text, "reader to http://"+host) {
		t.Errorf("the page does not tell what is asked:\n%s", text)
	}
	b.picture("unconfirmed")
	b.do(chromedp.Click(chromedp.CSS(`button[data-confirm]`)))
	b.shows("that it is confirmed", func() error {
		if strings.Contains(b.text(), "unconfirmed") {
			return errors.New("it is not")
		}
		return nil
	})
}
