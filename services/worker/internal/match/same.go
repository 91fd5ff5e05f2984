package match

import (
	"reflect"

	"github.com/landwaiter/landwaiter/services/worker/internal/advisory"
)

// Same tells whether two databases that cover the same ecosystems give the same
// answer to a query. One that failed is like no other.
func Same(older, newer *advisory.DB, q advisory.Query) bool {
	m := matcher{db: newer}
	before, after := answerSafely(older, q), m.answer(q)
	return before.err == nil && after.err == nil && before.outcome() == after.outcome() &&
		reflect.DeepEqual(before.findings, after.findings)
}

// outcome is what an answer says beside its findings.
func (a *answer) outcome() [3]bool { return [...]bool{a.versionless, a.unclear, a.listOnly} }
