package config_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

func TestSweepIsAsStrictAsARule(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want string // in the error; blank: it is fine
	}{
		"a rule":              {`{"rule":"nightly"}`, ""},
		"a rule, forced":      {`{"rule":"nightly","force":true}`, ""},
		"all of a registry":   {`{"registry":"hub"}`, ""},
		"with filters":        {`{"registry":"hub","repositories":["team/*"],"tags":["1.*"],"pushedWithin":"7d","cap":3,"force":true}`, ""},
		"nothing":             {`{}`, "registry: is missing"},
		"blank rule":          {`{"rule":""}`, "rule: is missing"},
		"rule and registry":   {`{"rule":"nightly","registry":"hub"}`, "registry: is not for the sweep of a rule"},
		"rule and filter":     {`{"rule":"nightly","cap":0}`, "cap: is not for the sweep of a rule"},
		"name":                {`{"registry":"Hub!"}`, "is not a name"},
		"unknown key":         {`{"registry":"hub","repository":["a"]}`, `unknown key "repository"`},
		"repository":          {`{"registry":"hub","repositories":["Team"]}`, "lower case"},
		"tag":                 {`{"registry":"hub","tags":["a/b"]}`, "no slash"},
		"negative cap":        {`{"registry":"hub","cap":-1}`, "cap: is -1"},
		"no time":             {`{"registry":"hub","pushedWithin":"0s"}`, "pushedWithin: must be longer than 0"},
		"number for duration": {`{"registry":"hub","pushedWithin":7}`, "pushedWithin: is not text"},
		"YAML":                {`registry: hub`, "is not JSON"},
		"text for a switch":   {`{"registry":"hub","force":"yes"}`, "force: is the text"},
	} {
		got, err := config.DecodeSweep([]byte(tt.in))
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got %+v, %v, want an error with %q", name, got, err, tt.want)
		}
	}
}

func FuzzDecodeSweep(f *testing.F) {
	f.Add(`{"registry":"hub","repositories":["team/*"],"pushedWithin":"7d","cap":3}`)
	f.Add(`{"rule":"nightly","force":true}`)
	f.Fuzz(func(t *testing.T, in string) {
		s, err := config.DecodeSweep([]byte(in))
		if err != nil {
			return
		}
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.DecodeSweep(raw); err != nil {
			t.Errorf("%s is read and written as %s: %v", in, raw, err)
		}
	})
}
