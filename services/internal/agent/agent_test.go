package agent

import "testing"

func TestName(t *testing.T) {
	for version, want := range map[string]string{
		"": "landwaiter/dev", "(devel)": "landwaiter/dev", "v1.2.3": "landwaiter/v1.2.3",
		"v0.0.0-20260501000000-abcdefabcdef+dirty": "landwaiter/v0.0.0-20260501000000-abcdefabcdef+dirty",
	} {
		if got := name(version); got != want || !IsOwn(got) {
			t.Errorf("version %q: got %q, own %t; want %q", version, got, IsOwn(got), want)
		}
	}
	if !IsOwn(UserAgent()) {
		t.Errorf("%q is not known again", UserAgent())
	}
	for _, other := range []string{"", "landwaiter", "docker/27 landwaiter/1"} {
		if IsOwn(other) {
			t.Errorf("%q is taken for ours", other)
		}
	}
}
