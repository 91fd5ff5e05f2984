package registry

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// mostPages bounds a list. One of more pages, of a hundred entries each, is no
// registry's, and a list that is made up while it is read must end.
const mostPages = 100_000

// trail sees that a list does not lead in a circle: a registry's mistake, or
// its trick, that would be followed for ever. It goes with the position, so
// that whoever goes on sees it, too. It remembers one page's position, twice as
// far into the list each time: a circle of any length comes by it.
type trail struct {
	pages  uint64 // read
	marked uint64 // the page whose position is remembered
	mark   string // its hash; blank: none yet
}

// trailSign divides a position from its trail; no position holds it.
const trailSign = "#"

// cutTrail takes a trail off a position. One without it begins there.
func cutTrail(after string) (at string, t trail, err error) {
	at, raw, found := strings.Cut(after, trailSign)
	if !found {
		return at, t, nil
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "", t, fmt.Errorf("%w: page cursor", ErrInvalid)
	}
	var errs [2]error
	t.pages, errs[0] = strconv.ParseUint(parts[0], 10, 32)
	t.marked, errs[1] = strconv.ParseUint(parts[1], 10, 32)
	t.mark = parts[2]
	if errs[0] != nil || errs[1] != nil {
		return "", t, fmt.Errorf("%w: page cursor", ErrInvalid)
	}
	return at, t, nil
}

// follow goes on to the next position, which is blank at the list's end.
func (t trail) follow(next string) (string, error) {
	if next == "" {
		return "", nil
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(next))
	here := hex.EncodeToString(h.Sum(nil))
	t.pages++
	switch {
	case here == t.mark:
		return "", fmt.Errorf("%w: the list leads back to where it was", ErrInvalid)
	case t.pages > mostPages:
		return "", fmt.Errorf("%w: the list has more than %d pages", ErrTooLarge, mostPages)
	case t.mark == "" || t.pages >= 2*t.marked:
		t.marked, t.mark = t.pages, here
	}
	return fmt.Sprintf("%s%s%d.%d.%s", next, trailSign, t.pages, t.marked, t.mark), nil
}
