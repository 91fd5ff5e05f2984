package keeper

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A slow look at all records is not repeated before ten times as long has
// passed; one that failed is, and how far apart the last two were is known.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pace
		looks := 0
		look := func(err error) error {
			return p.read(func() error {
				looks++
				<-time.After(time.Second)
				return err
			})
		}
		broken := errors.New("the broker is away")
		steps := []struct {
			name string
			wait time.Duration
			err  error
			want int // looks so far
		}{
			{"the first", 0, nil, 1},
			{"too soon", 9 * time.Second, nil, 1},
			{"in time", time.Second, broken, 2},
			{"after a failure", 0, nil, 3},
			{"after a success", 0, nil, 3},
		}
		for _, step := range steps {
			<-time.After(step.wait)
			if err := look(step.err); err != nil && !errors.Is(err, step.err) || looks != step.want {
				t.Errorf("%s: %d looks, %v, want %d", step.name, looks, err, step.want)
			}
		}
		if p.apart != time.Second {
			t.Errorf("the last two looks began %s apart", p.apart)
		}
	})
}
