package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Part is a named piece of a service that runs until its context ends.
type Part struct {
	Name string
	Run  func(ctx context.Context) error
}

// Group runs the parts side by side and returns when all have ended. A part
// that fails ends the context of the others; one that ends without an error
// does not. The errors are joined, each under its part's name; that somebody's
// context ended because all are to stop is no error.
func Group(ctx context.Context, parts ...Part) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(parts))
	var running sync.WaitGroup
	for i, p := range parts {
		running.Go(func() {
			err := p.Run(ctx)
			if err == nil || (ctx.Err() != nil && errors.Is(err, context.Canceled)) {
				return
			}
			errs[i] = fmt.Errorf("%s: %w", p.Name, err)
			cancel()
		})
	}
	running.Wait()
	return errors.Join(errs...)
}
