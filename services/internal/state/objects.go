package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
)

// Objects is an object store whose objects are named by the digest of their
// content: storing one twice is storing it once.
type Objects struct {
	source
	infos  string // subjects of what says what there is
	chunks string // what a chunk's subject begins with
	name   string
	os     jetstream.ObjectStore
	fail   failpoint.Hook
}

// transfer bounds the reading or writing of one object. Without a deadline the
// client takes the one for a single request, which large objects outlast.
const transfer = 15 * time.Minute

// DigestOf is the digest that names content.
func DigestOf(content []byte) events.Digest {
	sum := sha256.Sum256(content)
	return events.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// put bounds the storing of what is in memory: confirmations that a broker
// owes when it dies never come.
const put = 30 * time.Second

// Put stores content and returns its digest.
func (o *Objects) Put(ctx context.Context, p failpoint.Point, content []byte) (events.Digest, error) {
	ctx, cancel := context.WithTimeout(ctx, put)
	defer cancel()
	d := DigestOf(content)
	return d, o.PutStream(ctx, p, d, bytes.NewReader(content))
}

// refresh is the age from which an object is written again, so that it does
// not look unused to whoever collects old objects at this moment.
const refresh = 10 * time.Minute

// PutStream stores what r yields under the digest d, which the caller has
// computed. An object that is there already is not written again.
func (o *Objects) PutStream(ctx context.Context, p failpoint.Point, d events.Digest, r io.Reader) error {
	if info, err := o.info(ctx, d); err == nil && time.Since(info.ModTime) < refresh {
		return nil
	}
	return o.fail.Around(p, func() error {
		ctx, cancel := context.WithTimeout(ctx, transfer)
		defer cancel()
		if _, err := o.os.Put(ctx, jetstream.ObjectMeta{Name: d.Token()}, r); err != nil {
			return fmt.Errorf("store %s %s: %w", o.name, d, err)
		}
		return nil
	})
}

// Get returns the object's content, at most limit bytes, verified against its
// digest; ErrNotFound where there is none. It returns when ctx ends, and when
// nothing has come for a while: an object that is removed while it is read
// leaves its reader waiting.
func (o *Objects) Get(ctx context.Context, d events.Digest, limit int64) ([]byte, error) {
	content, err := o.small(ctx, d, limit)
	switch {
	case errors.Is(err, errManyChunks):
		return o.large(ctx, d, limit)
	case err != nil:
		return nil, fmt.Errorf("read %s %s: %w", o.name, d, err)
	case DigestOf(content) != d:
		return nil, fmt.Errorf("read %s %s: content has another digest", o.name, d)
	}
	return content, nil
}

// large reads with a consumer.
func (o *Objects) large(ctx context.Context, d events.Digest, limit int64) ([]byte, error) {
	type answer struct {
		content []byte
		err     error
	}
	var moved atomic.Int64
	done := make(chan answer, 1)
	go func() {
		content, err := o.get(ctx, d, limit, &moved)
		done <- answer{content, err}
	}()
	look := time.NewTicker(stall)
	defer look.Stop()
	for before := int64(-1); ; {
		select {
		case a := <-done:
			return a.content, a.err
		case <-ctx.Done():
			return nil, fmt.Errorf("read %s %s: %w", o.name, d, context.Cause(ctx))
		case <-look.C:
			now := moved.Load()
			if now == before {
				return nil, fmt.Errorf("read %s %s: nothing came for %s", o.name, d, stall)
			}
			before = now
		}
	}
}

// stall is how long nothing may come of an object that is read whole.
const stall = 5 * time.Second

// counted counts what is read.
type counted struct {
	io.Reader

	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func (o *Objects) get(ctx context.Context, d events.Digest, limit int64, moved *atomic.Int64) ([]byte, error) {
	res, err := o.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(counted{res, moved}, limit+1))
	err = errors.Join(err, res.Close())
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s %s: %w", o.name, d, err)
	case int64(len(content)) > limit:
		return nil, fmt.Errorf("read %s %s: %w", o.name, d, overLimit(limit))
	case DigestOf(content) != d:
		return nil, fmt.Errorf("read %s %s: content has another digest", o.name, d)
	}
	return content, nil
}

// Open returns a reader of the object; the broker's own checksum is verified
// at its end. The reader must be closed; ctx ends it at its next Read.
func (o *Objects) Open(ctx context.Context, d events.Digest) (io.ReadCloser, error) {
	// The client's reader stops being fed when its context ends, and then
	// blocks until that context's deadline: minutes. So the context is not ctx.
	feed, cancel := context.WithTimeout(context.WithoutCancel(ctx), transfer)
	res, err := o.open(feed, d)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open %s %s: %w", o.name, d, err)
	}
	return &reading{res, ctx, cancel}, nil
}

// open waits where the server that is asked has yet to hear of the object.
func (o *Objects) open(ctx context.Context, d events.Digest) (io.ReadCloser, error) {
	for until := time.Now().Add(stall); ; {
		res, err := o.os.Get(ctx, d.Token())
		if err == nil {
			return res, nil
		}
		if errors.Is(err, jetstream.ErrObjectNotFound) {
			err = o.missing(ctx, d)
		}
		if !errors.Is(err, errLags) || time.Now().After(until) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(listPause):
		}
	}
}

// missing tells whether an object that was not found is there after all.
func (o *Objects) missing(ctx context.Context, d events.Digest) error {
	if !o.replicated {
		return ErrNotFound
	}
	_, err := o.info(ctx, d)
	switch {
	case errors.Is(err, jetstream.ErrObjectNotFound):
		return ErrNotFound
	case err != nil:
		return err
	default:
		return errLags
	}
}

// reading frees the transfer's context when it is closed.
type reading struct {
	io.ReadCloser

	ctx    context.Context //nolint:containedctx // of whoever opened it: a reader has no other way to end with it
	cancel context.CancelFunc
}

// Read ends with the context of whoever opened the reader.
func (r *reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.ReadCloser.Read(p)
}

// Close ends the reading.
func (r *reading) Close() error {
	defer r.cancel()
	return r.ReadCloser.Close()
}

// Stored is an object's name and when it was stored.
type Stored struct {
	Digest events.Digest
	At     time.Time
	Size   uint64
}

// List lists the objects. A listing that the broker ended is an error, never a
// short list.
func (o *Objects) List(ctx context.Context) ([]Stored, error) {
	var list []Stored
	err := o.list(ctx, o.infos, everything(), func(m message) error {
		var info jetstream.ObjectInfo
		if err := json.Unmarshal(m.data, &info); err != nil {
			return fmt.Errorf("decode %s: %w", m.subject, err)
		}
		if d, err := events.DigestFromToken(info.Name); err == nil && !info.Deleted { // else not one of ours
			list = append(list, Stored{Digest: d, At: m.at, Size: info.Size})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", o.name, err)
	}
	return list, nil
}

// Remove deletes an object that no record names any more, unless it was stored
// again after the moment before.
func (o *Objects) Remove(ctx context.Context, p failpoint.Point, d events.Digest, before time.Time) error {
	if info, err := o.info(ctx, d); err == nil && info.ModTime.After(before) {
		return nil
	}
	return o.fail.Around(p, func() error {
		if err := o.os.Delete(ctx, d.Token()); err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
			return fmt.Errorf("remove %s %s: %w", o.name, d, err)
		}
		return nil
	})
}
