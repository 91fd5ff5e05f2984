// Package failpoint names every place where a service writes something that
// others rely on: each publish, acknowledgement, record and object write. A
// write without a name does not compile, because the functions that write ask
// for one. In production nothing is armed and a point costs a nil check; the
// crash suite arms one point at a time to end the process just before or just
// after the write, and asks All whether it left any out.
package failpoint

import (
	"fmt"
	"slices"
	"strings"
)

// Point is the name of one write.
type Point string

// Moment is the side of the write.
type Moment string

// The moments.
const (
	Before Moment = "before"
	After  Moment = "after"
)

// Hook is told of each write, before and after it. A nil Hook is never told.
type Hook func(Point, Moment)

// Around runs write between the two moments of p. After is not reached when
// write returns an error.
func (h Hook) Around(p Point, write func() error) error {
	if h != nil {
		h(p, Before)
	}
	err := write()
	if err == nil && h != nil {
		h(p, After)
	}
	return err
}

// Arm returns a hook that calls end the first time the write that spec names
// is reached. A spec is point:moment, such as "scan.finish:after".
func Arm(spec string, end func()) (Hook, error) {
	name, moment, found := strings.Cut(spec, ":")
	if !found || (moment != string(Before) && moment != string(After)) {
		return nil, fmt.Errorf("failpoint %q: want POINT:before or POINT:after", spec)
	}
	if !slices.Contains(All(), Point(name)) {
		return nil, fmt.Errorf("failpoint %q: no such point", name)
	}
	return func(p Point, m Moment) {
		if p == Point(name) && m == Moment(moment) {
			end()
		}
	}, nil
}
