// Package terminal shows on a terminal what changes quickly.
package terminal

import (
	"io"
	"time"
)

// often is how often a line is shown again at most: more than an eye follows.
const often = 100 * time.Millisecond

// Line is the last line of a terminal, written again and again. It is not for
// several goroutines at once.
type Line struct {
	out   io.Writer
	now   func() time.Time
	last  time.Time
	shown bool
}

// NewLine returns the line of a terminal.
func NewLine(out io.Writer) *Line { return &Line{out: out, now: time.Now} }

// Show replaces the line, unless it was replaced a moment ago.
func (l *Line) Show(text string) {
	now := l.now()
	if now.Sub(l.last) < often {
		return
	}
	l.last, l.shown = now, true
	_, _ = io.WriteString(l.out, "\r\x1b[K"+text)
}

// Clear removes the line, so that other text can be written.
func (l *Line) Clear() {
	if !l.shown {
		return
	}
	l.shown = false
	l.last = time.Time{}
	_, _ = io.WriteString(l.out, "\r\x1b[K")
}
