package config

import (
	"errors"
	"fmt"
	"strings"
)

// Mistake is one thing that is wrong with a document.
//
//nolint:errname // a mistake in a document is what it is called everywhere
type Mistake struct {
	File    string // as it was given to Parse; blank: not from a file
	Line    int    // from 1; 0: unknown
	Path    string // where in the document, as rules[0].schedule.at
	Message string
	Hint    string // what to write instead; may be blank
}

// Error is file:line: path: message (hint), without the parts that are unknown.
func (m *Mistake) Error() string {
	var b strings.Builder
	if m.File != "" {
		b.WriteString(m.File)
		if m.Line > 0 {
			fmt.Fprintf(&b, ":%d", m.Line)
		}
		b.WriteString(": ")
	} else if m.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", m.Line)
	}
	if m.Path != "" {
		b.WriteString(m.Path + ": ")
	}
	b.WriteString(m.Message)
	if m.Hint != "" {
		b.WriteString(" (" + m.Hint + ")")
	}
	return b.String()
}

// Pointed is the mistake as Error tells it, with a JSON pointer (RFC 6901) for
// file, line and path: for a document that came as JSON.
func (m *Mistake) Pointed() string {
	inner := Mistake{Message: m.Message, Hint: m.Hint}
	if m.Path == "" {
		return inner.Error()
	}
	written := strings.NewReplacer("~", "~0", "/", "~1", ".", "/", "[", "/", "]", "")
	return "/" + written.Replace(m.Path) + ": " + inner.Error()
}

// Mistakes lists every mistake inside an error, in the order of the document.
func Mistakes(err error) []*Mistake {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Mistake
		for _, e := range joined.Unwrap() {
			all = append(all, Mistakes(e)...)
		}
		return all
	}
	if m, ok := errors.AsType[*Mistake](err); ok {
		return []*Mistake{m}
	}
	return nil
}
