package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
)

// fewChunks is how many chunks of an object are asked for one by one: up to a
// megabyte. For more a consumer is cheaper, which of a small object costs the
// broker more than its bytes.
const fewChunks = 8

// errManyChunks is an object that is to be read by a consumer: it has many
// chunks, or was stored again while it was read.
var errManyChunks = errors.New("not of a few chunks")

// small reads an object of few chunks without a consumer; errManyChunks where
// it is none. What it returns is not yet compared with the digest.
func (o *Objects) small(ctx context.Context, d events.Digest, limit int64) ([]byte, error) {
	info, err := o.info(ctx, d)
	switch {
	case errors.Is(err, jetstream.ErrObjectNotFound):
		return nil, ErrNotFound
	case err != nil:
		return nil, err
	case info.Size > uint64(max(limit, 0)):
		return nil, overLimit(limit)
	case info.Chunks > fewChunks || info.Opts != nil && info.Opts.Link != nil:
		return nil, errManyChunks
	}
	content := make([]byte, 0, info.Size)
	for seq := uint64(1); info.Chunks > 0; info.Chunks-- {
		chunk, at, err := o.chunk(ctx, info, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil, errManyChunks
		}
		if err != nil {
			return nil, err
		}
		content = append(content, chunk...)
		seq = at + 1
	}
	return content, nil
}

// chunk reads the first chunk of an object from a place in the stream on; of
// an object's only chunk the broker knows the place.
func (o *Objects) chunk(ctx context.Context, info *jetstream.ObjectInfo, seq uint64) (content []byte, at uint64, err error) {
	subject := o.chunks + info.NUID
	if o.replicated {
		m, err := o.ask(ctx, question{Sequence: seq, Next: subject})
		return m.Data, m.Sequence, err
	}
	m, err := within(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		if seq == 1 && info.Chunks == 1 {
			return o.messages.GetLastMsgForSubject(ctx, subject)
		}
		return o.messages.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject))
	})
	if err != nil {
		return nil, 0, err
	}
	return m.Data, m.Sequence, nil
}

// within bounds one question: the broker that was asked may have died.
func within[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	return ask(ctx)
}

func overLimit(limit int64) error { return fmt.Errorf("over the limit of %d bytes", limit) }
