package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	stallTimeout = time.Minute // without a byte: the connection is dead
	maxBreaks    = 5           // in a row with less than progress between them
	progress     = 1 << 20     // bytes after which a break counts as the first again
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// Blob opens a blob. size is -1 when the registry does not tell. A body that
// breaks off is continued where it broke; what is read is not verified: that
// is the caller's part, who reads it to its end. The reader works until ctx
// ends and must be closed.
func (c *Client) Blob(ctx context.Context, repo, digest string) (body io.ReadCloser, size int64, err error) {
	t := target{op: "read blob", repo: repo, ref: digest}
	if err := t.checkDigest(); err != nil {
		return nil, 0, c.wrap(t, err)
	}
	b := &blob{ctx: ctx, client: c, target: t, size: -1, left: maxBreaks, meter: meter{pace: c.slowest}}
	if err := b.open(); err != nil { //nolint:contextcheck // it has the context already
		return nil, 0, err
	}
	return b, b.size, nil
}

// blob is a body that survives its connections.
type blob struct {
	ctx    context.Context //nolint:containedctx // a reader has no other way to be cancelled
	client *Client
	target target

	body   io.ReadCloser // nil: broken
	cancel context.CancelFunc
	stall  *time.Timer
	offset int64
	size   int64 // -1: unknown
	left   int   // breaks until it is given up
	mark   int64 // offset at the last break
	meter  meter
	end    error // what every further Read returns
}

// Read reads on, over as many connections as it takes.
func (b *blob) Read(p []byte) (int, error) {
	for b.end == nil {
		if b.body == nil {
			if err := b.reopen(); err != nil {
				b.end = err
				break
			}
		}
		b.stall.Reset(stallTimeout)
		begun := time.Now()
		n, err := b.body.Read(p)
		slow := b.meter.add(n, time.Since(begun))
		b.stall.Stop()
		b.offset += int64(n)
		switch {
		case b.size >= 0 && b.offset > b.size:
			b.end = b.client.wrap(b.target, fmt.Errorf("%w: more than the announced %d bytes", ErrInvalid, b.size))
			return 0, b.end
		case errors.Is(err, io.EOF) && (b.size < 0 || b.offset == b.size):
			b.end = io.EOF
		case slow:
			b.hangUp() // the slot is for those who use it
			b.end = b.client.wrap(b.target, b.meter.tooSlow())
		case err != nil:
			b.broke(err)
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
	return 0, b.end
}

// Close ends the request and gives its slot back.
func (b *blob) Close() error {
	b.hangUp()
	if b.end == nil {
		b.end = b.client.wrap(b.target, errors.New("read after close"))
	}
	return nil
}

func (b *blob) hangUp() {
	if b.body != nil {
		_ = b.body.Close() // nothing was written: there is nothing to lose
		b.body = nil
		b.stall.Stop()
		b.cancel()
	}
}

// broke notes a break; the next Read goes on or gives up.
func (b *blob) broke(err error) {
	b.hangUp()
	if b.offset-b.mark >= progress {
		b.left = maxBreaks
	}
	b.mark = b.offset
	b.left--
	b.client.log.Debug("blob broken", zap.String("repository", b.target.repo), zap.String("digest", b.target.ref),
		zap.Int64("offset", b.offset), zap.Int64("size", b.size), zap.Error(withoutURL(err)))
}

// reopen continues at the offset, after a pause that doubles.
func (b *blob) reopen() error {
	for ; b.left > 0; b.left-- {
		pause := time.NewTimer(min(firstPause<<(maxBreaks-1-b.left), longestPause))
		select {
		case <-pause.C:
		case <-b.ctx.Done():
			pause.Stop()
			return b.client.wrap(b.target, b.ctx.Err())
		}
		err := b.open()
		var unavailable *Unavailable
		if err == nil || b.end != nil || !errors.As(err, &unavailable) || unavailable.RetryAfter > longestPause {
			return err
		}
	}
	return b.client.wrap(b.target, &Unavailable{Reason: fmt.Sprintf("broke off at byte %d", b.offset)})
}

// open asks for the bytes from the offset on.
func (b *blob) open() error {
	ctx, cancel := context.WithCancel(b.ctx)
	stall := time.AfterFunc(stallTimeout, cancel)
	header := http.Header{}
	if b.offset > 0 {
		header.Set("Range", "bytes="+strconv.FormatInt(b.offset, 10)+"-")
	}
	t := b.target
	resp, err := b.client.do(ctx, http.MethodGet, t, path(t.repo, "blobs", t.ref), "", header)
	if err != nil {
		stop := b.ctx.Err() == nil && ctx.Err() != nil // it was the stall timer
		stall.Stop()
		cancel()
		if stop {
			return b.client.wrap(t, &Unavailable{Reason: "no answer within " + stallTimeout.String()})
		}
		return err
	}
	if err := b.accept(resp, stall); err != nil {
		if b.end != nil {
			cancel() // the rest would come as slowly
		}
		drain(resp)
		stall.Stop()
		cancel()
		return err
	}
	stall.Stop()
	b.body, b.cancel, b.stall = resp.Body, cancel, stall
	return nil
}

// accept positions an answer at the offset.
func (b *blob) accept(resp *http.Response, stall *time.Timer) error {
	switch {
	case resp.StatusCode == http.StatusOK && b.offset == 0:
		if b.size < 0 {
			b.size = resp.ContentLength
		} else if resp.ContentLength >= 0 && resp.ContentLength != b.size {
			return b.client.wrap(b.target, fmt.Errorf("%w: the blob changed its size", ErrInvalid))
		}
		return nil
	case resp.StatusCode == http.StatusOK: // the server knows no ranges: skip what is known
		_, err := io.CopyN(&discard{stall: stall, meter: &b.meter, last: time.Now()}, resp.Body, b.offset)
		if slow, ok := errors.AsType[*Unavailable](err); ok {
			b.end = b.client.wrap(b.target, slow)
			return b.end
		}
		if err != nil {
			return b.client.wrap(b.target, &Unavailable{Reason: "broke off before the offset was reached again"})
		}
		return nil
	case resp.StatusCode == http.StatusPartialContent:
		start, ok := rangeStart(resp.Header.Get("Content-Range"))
		if !ok || start != b.offset {
			return b.client.wrap(b.target, fmt.Errorf("%w: another range than byte %d on", ErrInvalid, b.offset))
		}
		return nil
	}
	return b.client.refused(b.target, resp)
}

// rangeStart reads the first number of "bytes 5-9/10".
func rangeStart(h string) (int64, bool) {
	rest, ok := strings.CutPrefix(h, "bytes ")
	if !ok {
		return 0, false
	}
	first, _, ok := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(first, 10, 64)
	return n, ok && err == nil && n >= 0
}

// discard throws bytes away and takes each as a sign of life, unless they come
// too slowly.
type discard struct {
	stall *time.Timer
	meter *meter
	last  time.Time
}

func (d *discard) Write(p []byte) (int, error) {
	d.stall.Reset(stallTimeout)
	now := time.Now()
	took := now.Sub(d.last)
	d.last = now
	if d.meter.add(len(p), took) {
		return 0, d.meter.tooSlow()
	}
	return len(p), nil
}
