package bus

import (
	"errors"
	"fmt"
	"time"
)

// What a handler's error means:
//
//	nil          done: acknowledge
//	Later        not now: again after a while, nothing has gone wrong
//	DeadLetter   never: to the DEAD stream, with the reason
//	a cancelled context during shutdown: given back at once
//	any other    again, after a pause that grows with the deliveries, until
//	             the message is too old and goes to DEAD

// laterError asks for another delivery after a pause.
type laterError struct {
	after time.Duration
	cause error
}

func (e *laterError) Error() string { return fmt.Sprintf("again in %s: %v", e.after, e.cause) }
func (e *laterError) Unwrap() error { return e.cause }

// Later says that the message cannot be handled now and should come again
// after the pause. It is no failure.
func Later(after time.Duration, cause error) error { return &laterError{after, cause} }

// deadError says that a message can never be handled.
type deadError struct{ cause error }

func (e *deadError) Error() string { return e.cause.Error() }
func (e *deadError) Unwrap() error { return e.cause }

// DeadLetter says that the message can never be handled as it is: it is kept
// whole on the DEAD stream, with cause as the reason.
func DeadLetter(cause error) error { return &deadError{cause} }

// action is what is done with a message after its handler returned.
type action int

const (
	acknowledge action = iota
	again
	bury
)

// decide is the one place that turns an error into an action.
func decide(err error, delivered uint64, age, maxAge time.Duration, stopping bool) (action, time.Duration) {
	var later *laterError
	var dead *deadError
	switch {
	case err == nil:
		return acknowledge, 0
	case errors.As(err, &dead):
		return bury, 0
	case errors.As(err, &later):
		return again, later.after
	case stopping:
		return again, 0
	case maxAge > 0 && age > maxAge:
		return bury, 0
	default:
		return again, backoff(delivered)
	}
}

const (
	backoffFirst = time.Second
	backoffMost  = 5 * time.Minute
)

// backoff is the pause before the next delivery: doubling, bounded.
func backoff(delivered uint64) time.Duration {
	const doublings = 9 // 2^9 s is over the bound
	if delivered == 0 {
		delivered = 1
	}
	return min(backoffFirst<<min(delivered-1, doublings), backoffMost)
}
