package source

import "testing"

func TestPlaced(t *testing.T) {
	for _, tt := range []struct{ name, tag, digest, want string }{
		{"team/web", "1", digestA, "team/web:1@" + digestA},
		{"Team/Web", "", "", "team/web"},
		{"web:1", "", "", "web:1"},
		{"h.example:5000/team/web:1", "", "", "team/web:1"},
		{"h.example:5000/team/web", "2", "", "team/web:2"},
		{"h.example/team/web:1@" + digestA, "", "", "team/web:1@" + digestA},
		{"h.example/team/web:1", "2", digestA, "team/web:2@" + digestA},
		{"h.example/team/web:" + digestA, "", "", "team/web@" + digestA},
		{"localhost/team/web:1", "", "", "team/web:1"},
		{"[2001:db8::1]:5000/team/web:1", "", "", "team/web:1"},
		{"https://registry/team/web", "", "", "team/web"},
		{"team/web:bad tag", "", "", "team/web"},
		{"h.example:5000", "", "", "h.example:5000"}, // a name with a tag: nothing says that it is a host
		{"h.example:5000/", "", "", ""},
		{"a//b:1", "", "", ":1"},
		{"", "", "", ""},
	} {
		f := Fact{}.placed(tt.name, tt.tag, tt.digest)
		got := f.Repository
		if f.Tag != "" {
			got += ":" + f.Tag
		}
		if f.Digest != "" {
			got += "@" + string(f.Digest)
		}
		if got != tt.want {
			t.Errorf("placed(%q, %q, %q): got %q, want %q", tt.name, tt.tag, tt.digest, got, tt.want)
		}
	}
}
