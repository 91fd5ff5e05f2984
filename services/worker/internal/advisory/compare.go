package advisory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxMoved bounds the records and flaws that Compare follows to packages. When
// more have changed, nearly every package is concerned.
const maxMoved = 200_000

// Compare tells which packages the newer database may have something else to
// say about than the older: their statements changed, or a record or a CVE
// that those lead to. What is not named gets the same answer from both. all
// says that any package may be concerned.
func Compare(ctx context.Context, older, newer *DB) (changed Keys, all bool, err error) {
	if !sameCoverage(older, newer) {
		return nil, true, nil
	}
	c := comparison{moved: map[string]bool{}, rescored: older.meta.EPSSDate != newer.meta.EPSSDate}
	if err := c.join(ctx, newTour(older), newTour(newer)); err != nil {
		return nil, false, fmt.Errorf("compare advisory databases: %w", err)
	}
	if len(c.moved) > maxMoved {
		return nil, true, nil
	}
	if len(c.moved) > 0 {
		if err := c.follow(ctx, newTour(newer)); err != nil {
			return nil, false, fmt.Errorf("compare advisory databases: %w", err)
		}
	}
	return NewKeys(c.keys), false, nil
}

// sameCoverage tells whether both say the same of which packages can be
// compared at all.
func sameCoverage(older, newer *DB) bool {
	return older.meta.Sample == newer.meta.Sample &&
		slices.Equal(older.meta.Families, newer.meta.Families) && slices.Equal(older.meta.Ecosystems, newer.meta.Ecosystems)
}

// comparison gathers what differs.
type comparison struct {
	rescored bool            // EPSS scores are of another day
	moved    map[string]bool // records and CVEs that say something else
	keys     []uint32        // packages
}

// join walks both databases side by side.
func (c *comparison) join(ctx context.Context, older, newer *tour) error {
	if err := older.step(); err != nil {
		return err
	}
	if err := newer.step(); err != nil {
		return err
	}
	for n := 0; !older.done || !newer.done; n++ {
		if n%10_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		order := older.order(newer)
		if order != 0 || c.differ(older, newer) {
			c.note(lesser(order, older, newer))
		}
		if order <= 0 {
			if err := older.step(); err != nil {
				return err
			}
		}
		if order >= 0 {
			if err := newer.step(); err != nil {
				return err
			}
		}
	}
	return nil
}

func lesser(order int, older, newer *tour) *tour {
	if order < 0 {
		return older
	}
	return newer
}

// differ tells whether two blocks of one key say different things.
func (c *comparison) differ(older, newer *tour) bool {
	if newer.kind == flawKey && c.rescored {
		d := decoder{b: newer.value}
		return d.flaw().HasEPSS || older.value != newer.value
	}
	if older.value == newer.value {
		return false
	}
	if newer.kind != recordKey {
		return true
	}
	return said(older.value) != said(newer.value)
}

// said is a record without the time it was changed at, which no answer has.
func said(record string) string {
	d := decoder{b: record}
	r := d.record()
	if d.bad {
		return record
	}
	var e encoder
	e.record(Record{
		ID: r.ID, Modified: time.Unix(0, 0), Aliases: r.Aliases, Upstream: r.Upstream, Related: r.Related, CVSS: r.CVSS, Rating: r.Rating, Summary: r.Summary,
	})
	return string(e.b)
}

func (c *comparison) note(w *tour) {
	if w.kind == packageKey {
		c.keys = append(c.keys, key(w.key))
	} else if len(c.moved) <= maxMoved {
		c.moved[strings.Clone(w.key)] = true
	}
}

// follow finds the packages whose statements are by records that moved or that
// name what moved.
func (c *comparison) follow(ctx context.Context, w *tour) error {
	concerned := map[string]bool{}
	for n := 0; ; n++ {
		if n%10_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := w.step(); err != nil || w.done || w.kind == flawKey {
			return err
		}
		if w.kind == recordKey {
			if c.leads(w.value) {
				concerned[strings.Clone(w.key)] = true
			}
		} else if states(w.value, concerned) {
			c.keys = append(c.keys, key(w.key))
		}
	}
}

// leads tells whether a record is, or names, something that moved.
func (c *comparison) leads(record string) bool {
	d := decoder{b: record}
	r := d.record()
	named := slices.Concat([]string{r.ID}, r.Aliases, r.Upstream, r.Related)
	return slices.ContainsFunc(append(named, CVEs(named...)...), func(id string) bool { return c.moved[id] })
}

// states tells whether one of a package's statements is by one of the records.
func states(statements string, records map[string]bool) bool {
	d := decoder{b: statements}
	for _, s := range d.statements() {
		for a, err := range s.All() {
			if err != nil || records[a.ID] {
				return true
			}
		}
	}
	return d.bad
}
