package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestConsoleRules writes, changes and deletes a rule as a person would, and
// meets somebody else who changes it at the same time.
func TestConsoleRules(t *testing.T) {
	in := install(t, options{})
	b := openBrowser(t)
	in.logIn(b)
	b.do(chromedp.Navigate(in.console+"/new/rule"), chromedp.WaitVisible(chromedp.CSS(`#rule`)))
	b.fill("name", "nightly")
	b.fill("repositories", "team/**\n  lib/a*  \n\n")
	b.fill("schedule.at", "25:00")
	b.fill("cap", "many")
	b.save()
	t.Run("every mistake at its field", func(*testing.T) {
		b.shows("both mistakes", func() error {
			return errors.Join(b.mistaken("cap: ", "number", "schedule.at: ", "time of day"), noRule(in, "nightly"))
		})
		b.picture("rule-mistakes")
		b.fill("cap", "5")
		b.save()
		b.shows("the other mistake alone", func() error { return b.mistaken("schedule.at: ", "time of day") })
	})
	b.fill("schedule.at", "02:30")
	b.fill("pushedWithin", "7d")
	b.do(chromedp.Click(chromedp.CSS(`#immutableTags`)))
	b.fill("onPush", "false")
	b.save()
	b.shows("the rule's row", func() error { return row(b, "nightly", "team/**", "at 02:30 UTC", "newest 5", "not scanned") })
	b.picture("rules")
	want := map[string]any{
		"name": "nightly", "registry": "local", "repositories": []any{"team/**", "lib/a*"}, "onPush": false, "cap": 5.0,
		"pushedWithin": "7d", "immutableTags": true, "schedule": map[string]any{"at": "02:30"}, "managedBy": "api",
	}
	t.Run("what was written is the rule", func(t *testing.T) {
		if got := in.rule(t, "nightly"); !reflect.DeepEqual(got, want) {
			t.Errorf("the rule is %v, want %v", got, want)
		}
	})
	t.Run("somebody else was faster", func(t *testing.T) {
		b.openRule(in, "nightly")
		in.putRule(t, "nightly", map[string]any{"registry": "local", "cap": 7})
		b.fill("cap", "9")
		b.save()
		b.shows("that it is refused", func() error { return says(b, "not what it was when you read it") })
		if got := in.rule(t, "nightly"); got["cap"] != 7.0 {
			t.Errorf("the rule is %v: the other's change is lost", got)
		}
	})
	t.Run("nobody overwrites by a new name", func(*testing.T) {
		b.do(chromedp.Navigate(in.console+"/new/rule"), chromedp.WaitVisible(chromedp.CSS(`#rule`)))
		b.fill("name", "nightly")
		b.save()
		b.shows("that it is refused", func() error { return says(b, "is there already") })
	})
	t.Run("deleted", func(*testing.T) {
		b.openRule(in, "nightly")
		b.do(chromedp.Click(chromedp.CSS(`#remove`)))
		b.shows("the question", func() error { return says(b, "for good") })
		b.do(chromedp.Click(chromedp.CSS(`#remove`)))
		b.shows("a list without it", func() error {
			if row(b, "nightly") == nil {
				return errors.New("its row is there")
			}
			return errors.Join(row(b, "everything"), noRule(in, "nightly"))
		})
	})
	t.Run("the file's rules are read only", func(t *testing.T) {
		b.openRule(in, "everything")
		if ask(b, chromedp.Evaluate[bool](`document.querySelector("#rule button") !== null || !document.querySelector("#rule fieldset").disabled`)) {
			t.Error("it can be changed")
		}
	})
}

func (b *browser) openRule(in *installation, name string) {
	b.Helper()
	b.do(chromedp.Navigate(in.console+"/rules/"+name), chromedp.WaitVisible(chromedp.CSS(`#rule`)))
}

// fill puts a value in the place of what an input has.
func (b *browser) fill(id, value string) {
	b.Helper()
	quoted, err := json.Marshal([]string{id, value})
	if err != nil {
		b.Fatal(err)
	}
	if !ask(b, chromedp.Evaluate[bool](`(([id, value]) => { const i = document.getElementById(id); i.value = value; return i.value === value; })(`+string(quoted)+`)`)) {
		b.Fatalf("%s does not take %q", id, value)
	}
}

func (b *browser) save() {
	b.Helper()
	b.do(chromedp.Click(chromedp.CSS(`#rule .acts button`)))
}

// mistaken is nil when exactly those inputs are marked, each with its words: the
// arguments are beginnings and words in turns.
func (b *browser) mistaken(want ...string) error {
	b.Helper()
	marked := ask(b, chromedp.Evaluate[[]string](`[...document.querySelectorAll("[aria-invalid]")].map((i) => i.id + ": " + i.nextElementSibling.innerText)`))
	right := len(marked) == len(want)/2
	for i := 0; right && i < len(marked); i++ {
		right = strings.HasPrefix(marked[i], want[2*i]) && strings.Contains(marked[i], want[2*i+1])
	}
	if !right {
		return fmt.Errorf("marked are %q", marked)
	}
	return nil
}

func says(b *browser, words string) error {
	b.Helper()
	if text := b.text(); !strings.Contains(text, words) {
		return fmt.Errorf("the page does not say %q:\n%s", words, text)
	}
	return nil
}

func noRule(in *installation, name string) error {
	var got map[string]any
	err := in.get(in.t.Context(), "/api/v1/rules/"+name, &got)
	if a, refused := errors.AsType[*answer](err); refused && a.code == http.StatusNotFound {
		return nil
	}
	return fmt.Errorf("there is a rule %v, %w", got, err)
}

func (in *installation) rule(t *testing.T, name string) map[string]any {
	t.Helper()
	var got map[string]any
	if err := in.get(t.Context(), "/api/v1/rules/"+name, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func (in *installation) putRule(t *testing.T, name string, rule map[string]any) {
	t.Helper()
	if err := in.call(t.Context(), http.MethodPut, "/api/v1/rules/"+name, rule, nil); err != nil {
		t.Fatal(err)
	}
}
