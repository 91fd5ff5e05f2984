package match_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

// Whatever two databases hold: where they answer an image's queries the same,
// its findings and notes are the same, and where those are, so are the answers.
func TestSameAnswersAreTheSameFindings(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	seen := map[bool]int{}
	for range 20 {
		a := database(t, unique(append(randomRecords(random), cover()...))...)
		b := database(t, unique(append(randomRecords(random), cover()...))...)
		for n := range 12 {
			img := one(fmt.Sprintf("p%d", n))
			if n%3 == 0 {
				img.Packages[0].Version = "" // what is known then is a note
			}
			same := true
			for q := range match.Queries(img) {
				same = same && match.Same(a, b, q)
			}
			before, notesBefore := match.Match(a, img)
			after, notesAfter := match.Match(b, img)
			diff := cmp.Diff(before, after) + cmp.Diff(notesBefore, notesAfter)
			if same != (diff == "") {
				t.Fatalf("p%d: same %t, and yet\n%s", n, same, diff)
			}
			seen[same]++
		}
	}
	if seen[true] < 20 || seen[false] < 20 {
		t.Errorf("%v is no choice of cases", seen)
	}
}
