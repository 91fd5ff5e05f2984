package events_test

import (
	"iter"
	"regexp"
	"testing"

	"github.com/landwaiter/landwaiter/events"
)

// The names are checked by hand; these say in one line each what is meant.
func TestNamesAreOfTheirForms(t *testing.T) {
	const part = `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
	for name, form := range map[string]struct {
		valid func(string) bool
		form  *regexp.Regexp
	}{
		"name":       {events.ValidName, regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)},
		"host":       {events.ValidHost, regexp.MustCompile(`^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(:[0-9]{1,5})?$`)},
		"repository": {events.ValidRepository, regexp.MustCompile(`^` + part + `(/` + part + `)*$`)},
		"tag":        {events.ValidTag, regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for s := range words("0gZ.-_/:[]", 5) {
				if got, want := form.valid(s), form.form.MatchString(s); got != want {
					t.Fatalf("%q: %v, want %v", s, got, want)
				}
			}
		})
	}
}

// words are all the strings of these bytes, up to a length.
func words(of string, longest int) iter.Seq[string] {
	return func(yield func(string) bool) {
		level := []string{""}
		for n := 0; len(level) > 0; n++ {
			var longer []string
			for _, s := range level {
				if !yield(s) {
					return
				}
				for i := range len(of) {
					if n < longest {
						longer = append(longer, s+of[i:i+1])
					}
				}
			}
			level = longer
		}
	}
}
