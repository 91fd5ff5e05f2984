package advisory

import "sync"

// memoWeight bounds what is remembered at a time; a weight of 1 is about half
// a kilobyte.
const memoWeight = 40_000

// Query is a package as it is looked up.
type Query struct{ Ecosystem, Name, Version, Module string }

// memo remembers what was derived from the database by query. Images of one
// registry share most of their packages, and a database never changes. The
// older half is forgotten when the newer one is full.
type memo struct {
	mu           sync.Mutex
	limit        int
	weight       int
	newer, older map[Query]any
}

func newMemo(limit int) *memo {
	return &memo{limit: limit, newer: map[Query]any{}}
}

// Remembered gives what Remember was last told of a query, if it still knows.
func (db *DB) Remembered(q Query) (any, bool) {
	m := db.memo
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.newer[q]; ok {
		return v, true
	}
	v, ok := m.older[q]
	return v, ok
}

// Remember keeps what was derived for a query, for a while. The value must not
// change any more. Weight is its size in half kilobytes, roughly.
func (db *DB) Remember(q Query, value any, weight int) {
	m := db.memo
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.weight+weight+1 > m.limit/2 {
		m.older, m.newer, m.weight = m.newer, map[Query]any{}, 0
	}
	m.newer[q] = value
	m.weight += weight + 1
}
