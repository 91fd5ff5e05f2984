package registry

import (
	"errors"
	"fmt"
	"time"
)

// What went wrong, for errors.Is. Everything else is a bug or the caller's
// own context.
var (
	// ErrNotFound is the registry's own statement that something does not exist.
	ErrNotFound = errors.New("not found")
	// ErrUnauthorized means the credential was refused. Some registries say
	// this of what does not exist, too.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrUnavailable means no usable answer came: try again later. The error
	// holds an *Unavailable.
	ErrUnavailable = errors.New("unavailable")
	// ErrPaused is an ErrUnavailable that says nothing against the registry: it
	// answers, and is not asked at the moment because it wishes so, or because
	// its budget is used up.
	ErrPaused = errors.New("paused")
	// ErrTooLarge means an answer was longer than is allowed for its kind.
	ErrTooLarge = errors.New("too large")
	// ErrInvalid means a request or an answer that breaks the rules: trying
	// again will not help.
	ErrInvalid = errors.New("invalid")
	// ErrUnsupported means the registry or this client does not offer it.
	ErrUnsupported = errors.New("unsupported")
)

// Unavailable is the error of a registry that cannot be reached, is broken or
// wants to be left alone.
//
//nolint:errname // the kind is ErrUnavailable; this is what it holds
type Unavailable struct {
	RetryAfter time.Duration // as the registry asks, at most a day; 0: it does not say
	Reason     string        // without secrets or query strings
	Paused     bool          // it is an ErrPaused
}

// Error is the reason.
func (u *Unavailable) Error() string {
	if u.RetryAfter > 0 {
		return fmt.Sprintf("unavailable: %s, retry after %s", u.Reason, u.RetryAfter)
	}
	return "unavailable: " + u.Reason
}

// Is makes every *Unavailable an ErrUnavailable, and some an ErrPaused.
func (u *Unavailable) Is(target error) bool {
	return target == ErrUnavailable || u.Paused && target == ErrPaused
}
