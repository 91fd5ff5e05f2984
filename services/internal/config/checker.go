package config

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// maxMistakes are more than anyone corrects at once.
const maxMistakes = 200

// checker collects mistakes.
type checker struct {
	file     string
	lines    map[string]int  // line of every path that was decoded
	unread   map[string]bool // paths whose value is of the wrong shape
	mistakes []*Mistake
}

func newChecker(file string) *checker {
	return &checker{file: file, lines: map[string]int{}, unread: map[string]bool{}}
}

// given reports whether a path stands in the document, whatever its value.
func (c *checker) given(path string) bool { return c.lines[path] > 0 }

// add notes a mistake at a path, the first one only: the others follow from
// it. What is missing is shown where it should be.
func (c *checker) add(path, message, hint string) {
	if len(c.mistakes) >= maxMistakes || c.complained(path) {
		return
	}
	at := path
	for c.lines[at] == 0 && at != "" {
		at = at[:max(strings.LastIndexAny(at, ".["), 0)]
	}
	if c.unread[at] {
		return
	}
	c.addAt(c.lines[at], path, message, hint)
}

func (c *checker) addAt(line int, path, message, hint string) {
	if len(c.mistakes) >= maxMistakes {
		return
	}
	c.mistakes = append(c.mistakes, &Mistake{File: c.file, Line: line, Path: path, Message: message, Hint: hint})
}

// check adds what a Check function found.
func (c *checker) check(path string, err error, hint string) {
	if err != nil {
		c.add(path, err.Error(), hint)
	}
}

// err joins the mistakes in the order of the document.
func (c *checker) err() error {
	slices.SortStableFunc(c.mistakes, func(a, b *Mistake) int { return cmp.Compare(a.Line, b.Line) })
	errs := make([]error, 0, len(c.mistakes))
	for _, m := range c.mistakes {
		errs = append(errs, m)
	}
	return errors.Join(errs...)
}

// complained reports whether a path, or what is below it, is wrong already.
func (c *checker) complained(path string) bool {
	return slices.ContainsFunc(c.mistakes, func(m *Mistake) bool {
		return m.Path == path || strings.HasPrefix(m.Path, path+".")
	})
}

// sub is the path of a key.
func sub(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
