package layer

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
)

// keptBuffer is the size up to which files share a buffer on the heap. A larger
// one is mapped: on the heap it would go on taking room when it is done with.
const keptBuffer = 1 << 20

// outline says which parts of a file are held in memory.
type outline struct {
	size   int64
	idle   []extract.Span // not held: zeros stand there
	barren bool           // a program's constants are among them
	inner  int64          // bytes of archives inside it that may be held too
}

// weight is how many bytes are held.
func (o outline) weight() int64 {
	w := o.size
	for _, s := range o.idle {
		w -= s.To - s.From
	}
	return w
}

// outlineOf leaves out of a large program what nobody reads: first its code,
// then, where the rest is still more than most, its constants too.
func outlineOf(head []byte, size, most int64) outline {
	whole := outline{size: size}
	if size <= keptBuffer {
		return whole
	}
	if lean := (outline{size: size, idle: extract.Idle(head, size, false)}); lean.weight() <= most {
		return lean
	}
	return outline{size: size, idle: extract.Idle(head, size, true), barren: true}
}

// hold reads a file into memory; release must be called when it is done with.
func (c *collector) hold(ctx context.Context, o outline, content io.Reader) (held []byte, release func(), err error) {
	free, err := c.room(ctx, o.weight()+o.inner)
	if err != nil {
		return nil, nil, err
	}
	if o.size <= keptBuffer {
		c.buffer.Reset()
		if _, err := c.buffer.ReadFrom(content); err != nil {
			free()
			return nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return c.buffer.Bytes(), free, nil
	}
	region, unmap, err := mapped(o.size)
	if err != nil {
		free()
		return nil, nil, err
	}
	c.reader.charge(o.weight())
	release = func() { unmap(); c.reader.charge(-o.weight()); free() }
	if err := o.fill(region, content); err != nil {
		release()
		return nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return region, release, nil
}

// charge takes what is mapped from the heap's limit (GOMEMLIMIT), which knows
// nothing of it, so that both together stay below. Without a limit this does
// nothing.
func (r *Reader) charge(size int64) {
	r.charging.Lock()
	defer r.charging.Unlock()
	debug.SetMemoryLimit(debug.SetMemoryLimit(-1) - size)
}

// room waits until so many bytes of files may be held.
func (c *collector) room(ctx context.Context, size int64) (free func(), err error) {
	if c.alone {
		return func() {}, nil
	}
	size = min(size, c.reader.limits.Buffered)
	c.watch.stop()
	defer c.watch.start()
	if err := c.reader.memory.Acquire(ctx, size); err != nil {
		return nil, context.Cause(ctx)
	}
	return func() { c.reader.memory.Release(size) }, nil
}

// fill reads what is held and passes over the rest.
func (o outline) fill(region []byte, content io.Reader) error {
	at := int64(0)
	for _, s := range o.idle {
		large(region, at, s.From)
		if _, err := io.ReadFull(content, region[at:s.From]); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, content, s.To-s.From); err != nil {
			return err
		}
		at = s.To
	}
	large(region, at, int64(len(region)))
	_, err := io.ReadFull(content, region[at:])
	return err
}

// enter takes all the memory for files where a layer asks for a window that is
// larger than usual: what the window leaves of it is for the layer's own files.
// Taking only the window would have two such layers wait for each other.
func (c *collector) enter(ctx context.Context, window int64) error {
	all := c.reader.limits.Buffered
	c.watch.stop()
	defer c.watch.start()
	if err := c.reader.memory.Acquire(ctx, all); err != nil {
		return context.Cause(ctx)
	}
	c.alone = true
	if c.most > all-window {
		c.most, c.mostBy = all-window, SettingBuffered
	}
	return nil
}

func (c *collector) leave() {
	if c.alone {
		c.reader.memory.Release(c.reader.limits.Buffered)
	}
}
