package merge_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/merge"
)

// Distributions without advisories: their packages are listed, with the note
// that nothing is known against them, which is not that there is nothing.
func TestMergeUncoveredDistributions(t *testing.T) {
	desc := func(version string) entry {
		return entry{Name: "var/lib/pacman/local/zlib-" + version + "/desc", Content: "%NAME%\nzlib\n\n%VERSION%\n" + version + "\n\n%ARCH%\nx86_64\n"}
	}
	for name, tt := range map[string]struct {
		layers [][]entry
		want   []string
	}{
		"arch": {[][]entry{
			{{Name: "etc/os-release", Content: "ID=arch\nPRETTY_NAME=\"Arch Linux\"\n"}, desc("1.3-1")},
			{{Name: "var/lib/pacman/local/.wh.zlib-1.3-1"}, desc("1:1.3.1-2")},
		}, []string{"zlib@1:1.3.1-2 var/lib/pacman/local/zlib-1:1.3.1-2/desc #1", "pkg:alpm/arch/zlib@1:1.3.1-2?arch=x86_64&distro=arch"}},
		"gentoo": {[][]entry{
			{{Name: "etc/os-release", Content: "ID=gentoo\nVERSION_ID=2.15\n"}, {Name: "var/db/pkg/sys-libs/zlib-1.3/PF", Content: "zlib-1.3\n"}},
		}, []string{"sys-libs/zlib@1.3 var/db/pkg/sys-libs/zlib-1.3/PF #0", "pkg:ebuild/sys-libs/zlib@1.3"}},
	} {
		image := merge.Merge("e", read(t, tt.layers...), nil)
		got := at(image)
		for _, p := range image.Packages {
			if got = append(got, p.PURL); p.Ecosystem != "" {
				t.Errorf("%s: ecosystem %q", name, p.Ecosystem)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: packages differ (-want +got):\n%s", name, diff)
		}
		if len(image.Notes) != 1 || image.Notes[0].Code != verdict.NoteUnsupportedOS {
			t.Errorf("%s: notes %+v", name, image.Notes)
		}
	}
}
