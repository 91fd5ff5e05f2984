package fingerprint_test

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/fingerprint"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

var (
	long  = strings.Repeat("ab", 32)
	short = strings.Repeat("cd", 20)
)

func raw(tb testing.TB, digits string) []byte {
	tb.Helper()
	sum, err := hex.DecodeString(digits)
	if err != nil {
		tb.Fatal(err)
	}
	return sum
}

func parse(tb testing.TB, text string) *fingerprint.List {
	tb.Helper()
	list, err := fingerprint.Parse(strings.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

func TestMark(t *testing.T) {
	listing := func(hash string, s verdict.Severity, comment string) *inventory.Listing {
		return &inventory.Listing{Hash: hash, Severity: s, Comment: comment}
	}
	hashed := func(kind, name, version string, l *inventory.Listing) inventory.Package {
		return inventory.Package{Type: kind, Name: name, Version: version, Evidence: inventory.Hashed, Location: "opt/a.jar", Listed: l}
	}
	tests := []struct {
		name, list string
		want       []inventory.Package
	}{
		{"a bare hash", long, []inventory.Package{hashed("generic", "a.jar", "", listing("sha256:"+long, verdict.Unknown, ""))}},
		{"as sha256sum writes", long + "  miner\n", []inventory.Package{hashed("generic", "miner", "", listing("sha256:"+long, verdict.Unknown, ""))}},
		{
			"everything", "# known\n\nSHA256:" + strings.ToUpper(long) + "\tminer 1.2 Critical  mines   coins\r\n",
			[]inventory.Package{hashed("generic", "miner", "1.2", listing("sha256:"+long, verdict.Critical, "mines coins"))},
		},
		{"left out", long + " - - high\n", []inventory.Package{hashed("generic", "a.jar", "", listing("sha256:"+long, verdict.High, ""))}},
		{"only named", "sha1:" + short + " pkg:maven/org.x/a 2.0", []inventory.Package{hashed("maven", "org.x:a", "2.0", nil)}},
		{"named with a version", short + " pkg:npm/%40s/a@1.0.0", []inventory.Package{hashed("npm", "@s/a", "1.0.0", nil)}},
		{
			"named and rated", short + " pkg:maven/org.x/a 2.0 low",
			[]inventory.Package{hashed("maven", "org.x:a", "2.0", listing("sha1:"+short, verdict.Low, ""))},
		},
		{
			"two lines of one file", long + " x\n" + short + " y\n",
			[]inventory.Package{
				hashed("generic", "x", "", listing("sha256:"+long, verdict.Unknown, "")),
				hashed("generic", "y", "", listing("sha1:"+short, verdict.Unknown, "")),
			},
		},
		{"the same twice", long + " x\n" + long + " x\n", []inventory.Package{hashed("generic", "x", "", listing("sha256:"+long, verdict.Unknown, ""))}},
		{"another file", strings.Repeat("00", 32), nil},
		{"nothing", "", nil},
	}
	layer := inventory.Layer{Fingerprints: []inventory.Fingerprint{{Path: "opt/a.jar", SHA256: raw(t, long), SHA1: raw(t, short)}, {Path: "opt/b", SHA256: raw(t, short+short[:24])}}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parse(t, tt.list).Mark(layer)
			if diff := cmp.Diff(tt.want, got.Packages); diff != "" {
				t.Errorf("packages differ (-want +got):\n%s", diff)
			}
			if got.Fingerprints != nil || len(layer.Fingerprints) != 2 || layer.Packages != nil {
				t.Errorf("got fingerprints %v, left %v", got.Fingerprints, layer)
			}
		})
	}
	var none *fingerprint.List
	if got := none.Mark(layer); got.Packages != nil || got.Fingerprints != nil || none.Version() != "" {
		t.Errorf("without a list: got %+v", got)
	}
}

// TestMarkKnown looks at a jar that says itself what it is.
func TestMarkKnown(t *testing.T) {
	known := inventory.Package{Type: "maven", Name: "org.x:a", Version: "2.0", Evidence: inventory.File, Location: "opt/a.jar"}
	layer := inventory.Layer{
		Packages:     []inventory.Package{known},
		Fingerprints: []inventory.Fingerprint{{Path: "opt/a.jar", SHA256: raw(t, long)}},
	}
	got := parse(t, long+" pkg:maven/org.x/a 2.0 high bad").Mark(layer)
	want := known
	want.Listed = &inventory.Listing{Hash: "sha256:" + long, Severity: verdict.High, Comment: "bad"}
	if diff := cmp.Diff([]inventory.Package{want}, got.Packages); diff != "" {
		t.Errorf("packages differ (-want +got):\n%s", diff)
	}
	if layer.Packages[0].Listed != nil {
		t.Error("the layer itself was changed")
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no hash": "miner", "short hash": long[:62], "other digits": "zz" + long[2:], "wrong algorithm": "sha1:" + long, "md5": long[:32],
		"severity": long + " a 1 terrible", "not a package": long + " pkg:", "of a distribution": long + " pkg:deb/debian/curl 1",
		"long line": long + " " + strings.Repeat("x", 5000),
	} {
		_, err := fingerprint.Parse(strings.NewReader("# first\n" + text))
		if err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestVersion(t *testing.T) {
	a, b := long+" x 1\n", short+" y\n"
	first := parse(t, a+b).Version()
	if got := parse(t, "# moved\n"+b+"\n"+strings.Replace(a, " x", "\tx", 1)+a).Version(); got != first {
		t.Errorf("order and blanks change the version: %s, %s", got, first)
	}
	if got := parse(t, a).Version(); got == first || got == "" {
		t.Errorf("a line less has version %q, all %q", got, first)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	if _, err := fingerprint.Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	if err := os.WriteFile(path, []byte(long+"\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fingerprint.Load(path); err == nil || !strings.Contains(err.Error(), path+": line 2") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(long + " pkg:maven/a/b@1 - high x\n# y\nsha1:" + short)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := fingerprint.Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		layer := inventory.Layer{Fingerprints: []inventory.Fingerprint{{Path: "a", SHA256: raw(t, long), SHA1: raw(t, short)}}}
		for _, p := range list.Mark(layer).Packages {
			if p.Name == "" || p.Type == "" || p.Location != "a" {
				t.Errorf("got %+v", p)
			}
		}
	})
}
