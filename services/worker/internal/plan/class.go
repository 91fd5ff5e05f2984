package plan

import (
	"errors"

	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// Class says what kind of failure a registry's error is.
func Class(err error) state.FailureClass {
	for _, c := range []struct {
		err   error
		class state.FailureClass
	}{
		{registry.ErrUnavailable, state.FailureUnavailable},
		{registry.ErrUnauthorized, state.FailureUnauthorized},
		{registries.ErrUnknown, state.FailureUnusable},
		{registries.ErrUnusable, state.FailureUnusable},
		{registry.ErrNotFound, state.FailureGone},
		{registry.ErrInvalid, state.FailureInvalid},
		{ErrNotImage, state.FailureInvalid},
		{registry.ErrTooLarge, state.FailureTooLarge},
		{registry.ErrUnsupported, state.FailureUnsupported},
	} {
		if errors.Is(err, c.err) {
			return c.class
		}
	}
	return state.FailureOther
}
