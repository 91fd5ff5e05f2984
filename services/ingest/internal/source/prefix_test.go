package source

import "testing"

func TestPrefixed(t *testing.T) {
	configured := map[string]string{"local": "virtual", "deep": "proxy/hub", "bare": "", "odd": "a//b"}
	for _, tt := range []struct {
		name          string
		configured    map[string]string
		own, fallback string
		path          string
		want          string
		reason        Reason
	}{
		{"nothing configured", nil, "local", "local", "a/b", "local/a/b", ""},
		{"nothing configured, no fallback", nil, "local", "", "a/b", "a/b", ""},
		{"configured", configured, "local", "local", "a/b", "virtual/a/b", ""},
		{"configured with two segments", configured, "deep", "deep", "a", "proxy/hub/a", ""},
		{"configured as none", configured, "bare", "bare", "a/b", "a/b", ""},
		{"another", configured, "secret", "secret", "a/b", "", OtherRepository},
		{"names are taken as they are written", configured, "Local", "Local", "a/b", "", OtherRepository},
		{"upper case", nil, "Local", "Local", "A/B", "local/a/b", ""},
		{"no path", configured, "local", "local", "", "", NoRepository},
		{"no valid path", nil, "local", "local", "<a>", "", NoRepository},
		{"no valid prefix", configured, "odd", "odd", "a", "", NoRepository},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, reason := prefixed(tt.configured, tt.own, tt.fallback, tt.path)
			if got != tt.want || reason != tt.reason {
				t.Errorf("prefixed = %q, %q; want %q, %q", got, reason, tt.want, tt.reason)
			}
		})
	}
}
