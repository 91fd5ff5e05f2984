package match

import (
	"fmt"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// maxExamples bounds the packages a note names.
const maxExamples = 5

// notes counts what could not be compared: one note for each reason and
// ecosystem, not one for each package.
type notes struct{ reasons map[reason]*tally }

type reason struct{ code, about, text string }

type tally struct {
	count    int
	examples []string
}

func newNotes() *notes { return &notes{reasons: map[reason]*tally{}} }

func (n *notes) add(r reason, pkg *inventory.Package) {
	t := n.reasons[r]
	if t == nil {
		t = &tally{}
		n.reasons[r] = t
	}
	t.count++
	name := pkg.Name
	if pkg.Version != "" {
		name += " " + pkg.Version
	}
	name = strings.ToValidUTF8(fmt.Sprintf("%.120s", name), "?")
	if len(t.examples) < maxExamples && !slices.Contains(t.examples, name) {
		t.examples = append(t.examples, name)
	}
}

func (n *notes) unknownEcosystem(pkg *inventory.Package) {
	n.add(reason{verdict.NoteEcosystemNotCovered, pkg.Type, "no advisory ecosystem is known for packages of type " + pkg.Type}, pkg)
}

func (n *notes) notCovered(pkg *inventory.Package) {
	n.add(reason{verdict.NoteEcosystemNotCovered, pkg.Ecosystem, "the advisory database has nothing about " + pkg.Ecosystem}, pkg)
}

// answer notes what an answer does not know.
func (n *notes) answer(pkg *inventory.Package, a *answer) {
	eco := pkg.Ecosystem
	switch {
	case a.err != nil:
		n.add(reason{verdict.NoteNoDatabase, eco, "the advisory database could not be read: " + a.err.Error()}, pkg)
	case a.versionless:
		n.add(reason{verdict.NoteUnknownPackageVersion, eco, "there are advisories about packages of " + eco + " whose version is not known"}, pkg)
	case a.unclear:
		n.add(reason{verdict.NoteVersionUnparsable, eco, "there are advisories about packages of " + eco + " with ranges that cannot be understood"}, pkg)
	case a.listOnly:
		n.add(reason{verdict.NoteVersionUnparsable, eco, "versions of " + eco + " could not be compared with ranges, only with lists"}, pkg)
	}
}

// list writes the notes, ordered.
func (n *notes) list() []verdict.Note {
	reasons := make([]reason, 0, len(n.reasons))
	for r := range n.reasons {
		reasons = append(reasons, r)
	}
	slices.SortFunc(reasons, func(a, b reason) int {
		return strings.Compare(a.code+"\x00"+a.about+"\x00"+a.text, b.code+"\x00"+b.about+"\x00"+b.text)
	})
	out := make([]verdict.Note, 0, len(reasons))
	for _, r := range reasons {
		t := n.reasons[r]
		packages := "packages"
		if t.count == 1 {
			packages = "package"
		}
		more := ""
		if t.count > len(t.examples) {
			more = ", …"
		}
		out = append(out, verdict.Note{
			Code:    r.code,
			Message: fmt.Sprintf("%s (%d %s: %s%s)", r.text, t.count, packages, strings.Join(t.examples, ", "), more),
		})
	}
	return out
}
