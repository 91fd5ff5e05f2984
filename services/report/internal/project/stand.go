package project

import (
	"context"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// Stand is where the newest scan of an image stands.
type Stand struct {
	Status verdict.Status
	Image  *state.Image // nil: there is no record
	Job    *state.Job   // nil: there is none, or none any more
}

// Status reads where the newest scan of an image stands, from the state.
func (p *Projector) Status(ctx context.Context, d events.Digest) (Stand, error) {
	i, err := get(ctx, p.state.Images, d)
	if err != nil {
		return Stand{}, err
	}
	j, err := get(ctx, p.state.Jobs, d)
	if err != nil {
		return Stand{}, err
	}
	return Stand{Status: statusOf(i, j), Image: i, Job: j}, nil
}
