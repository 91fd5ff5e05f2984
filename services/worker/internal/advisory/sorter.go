package advisory

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// sorter orders any number of values by their keys in little memory: runs that
// fit into it are sorted and written to files, and merged while they are read.
// Values of one key come in the order they were added in.
type sorter struct {
	dir   string
	most  int // bytes held in memory before they are written to a file
	arena []byte
	items []item
	runs  []*os.File
}

// item is a pair in the arena.
type item struct{ key, value, end int }

func newSorter(dir string, most int) *sorter { return &sorter{dir: dir, most: most} }

// add takes a pair; both may be reused by the caller.
func (s *sorter) add(key, value []byte) error {
	const item = 24 // bytes beside the pair itself
	if len(s.items) > 0 && len(s.arena)+len(key)+len(value)+item*len(s.items) > s.most {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.items = append(s.items, itemAt(len(s.arena), len(key), len(value)))
	s.arena = append(append(s.arena, key...), value...)
	return nil
}

func itemAt(at, key, value int) item { return item{at, at + key, at + key + value} }

func (s *sorter) keyOf(i item) []byte { return s.arena[i.key:i.value] }

func (s *sorter) order() {
	slices.SortFunc(s.items, func(a, b item) int {
		return cmp.Or(bytes.Compare(s.keyOf(a), s.keyOf(b)), cmp.Compare(a.key, b.key))
	})
}

// spill writes what is in memory as a run.
func (s *sorter) spill() error {
	s.order()
	file, err := os.CreateTemp(s.dir, "run-*")
	if err != nil {
		return fmt.Errorf("sort advisories: %w", err)
	}
	s.runs = append(s.runs, file)
	out := bufio.NewWriterSize(file, 256<<10)
	var head []byte
	for _, i := range s.items {
		head = binary.AppendUvarint(head[:0], uint64(i.value-i.key)) //nolint:gosec // a length
		head = binary.AppendUvarint(head, uint64(i.end-i.value))     //nolint:gosec // a length
		_, _ = out.Write(head)                                       // Flush tells
		_, _ = out.Write(s.arena[i.key:i.end])
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("sort advisories: %w", err)
	}
	s.arena, s.items = s.arena[:0], s.items[:0]
	return nil
}

// close removes the runs.
func (s *sorter) close() error {
	var errs []error
	for _, r := range s.runs {
		errs = append(errs, r.Close(), os.Remove(r.Name()))
	}
	s.runs, s.arena, s.items = nil, nil, nil
	return errors.Join(errs...)
}

// each gives every pair, ordered, and ends the sorter. What each is given holds
// until it returns.
func (s *sorter) each(each func(key, value []byte) error) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	if len(s.runs) == 0 {
		s.order()
		for _, i := range s.items {
			if err := each(s.keyOf(i), s.arena[i.value:i.end]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	s.arena, s.items = nil, nil
	m, err := newMerge(s.runs)
	if err != nil {
		return err
	}
	for len(m) > 0 {
		r := m[0]
		if err := each(r.pair[:r.key], r.pair[r.key:]); err != nil {
			return err
		}
		if err := r.next(); errors.Is(err, io.EOF) {
			heap.Pop(&m)
			continue
		} else if err != nil {
			return fmt.Errorf("sort advisories: %w", err)
		}
		heap.Fix(&m, 0)
	}
	return nil
}

// sorted is a run that is read from a file. Runs are numbered in the order they were written.
type sorted struct {
	in     *bufio.Reader
	number int
	pair   []byte
	key    int // its length
}

// next reads a pair; io.EOF: there is none left.
func (r *sorted) next() error {
	key, err := binary.ReadUvarint(r.in)
	if err != nil {
		return err
	}
	value, err := binary.ReadUvarint(r.in)
	if err != nil {
		return io.ErrUnexpectedEOF
	}
	if key > maxBlock || value > maxBlock {
		return errDamaged
	}
	size := int(key + value)
	r.pair = slices.Grow(r.pair[:0], size)[:size]
	r.key = int(key)
	_, err = io.ReadFull(r.in, r.pair)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// merge is a heap of them, the one with the least pair first.
type merge []*sorted

func newMerge(files []*os.File) (merge, error) {
	m := make(merge, 0, len(files))
	for n, f := range files {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("sort advisories: %w", err)
		}
		r := &sorted{in: bufio.NewReaderSize(f, 64<<10), number: n}
		if err := r.next(); errors.Is(err, io.EOF) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("sort advisories: %w", err)
		}
		m = append(m, r)
	}
	heap.Init(&m)
	return m, nil
}

func (m *merge) Len() int { return len(*m) }

func (m *merge) Less(i, j int) bool {
	a, b := (*m)[i], (*m)[j]
	return cmp.Or(bytes.Compare(a.pair[:a.key], b.pair[:b.key]), cmp.Compare(a.number, b.number)) < 0
}

func (m *merge) Swap(i, j int) { (*m)[i], (*m)[j] = (*m)[j], (*m)[i] }

// Push is of heap.Interface; runs are never added.
func (m *merge) Push(x any) {
	if r, ok := x.(*sorted); ok {
		*m = append(*m, r)
	}
}

// Pop is of heap.Interface.
func (m *merge) Pop() any {
	last := len(*m) - 1
	r := (*m)[last]
	*m = (*m)[:last]
	return r
}
