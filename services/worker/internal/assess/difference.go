package assess

import (
	"slices"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// What one event lists of each kind of change, and of all of them: an event
// stays small, whoever wants more reads the reports.
const (
	mostListed = 100
	mostBytes  = 64 << 10 // about, of JSON
)

// Difference tells what is different between two reports of one image, in the
// order of the reports: worst first. A nil before is no report at all.
//
// A finding is told by its id and package. One that was known by an alias
// before, such as the advisory of a flaw that had no CVE yet, is the same.
func Difference(before *verdict.Report, after verdict.Report) events.FindingsChanged {
	d := difference{old: map[where]verdict.Finding{}}
	if before != nil {
		for _, f := range before.Findings {
			if _, again := d.old[whereOf(f)]; !again {
				d.old[whereOf(f)] = f
			}
		}
	}
	d.out.Cause = cause(before, after)
	now := map[where]bool{}
	for _, f := range after.Findings {
		now[whereOf(f)] = true
	}
	seen := map[where]bool{}
	for _, f := range after.Findings {
		if !seen[whereOf(f)] {
			seen[whereOf(f)] = true
			d.present(f, now)
		}
	}
	if before != nil {
		d.absent(before.Findings)
	}
	return d.out
}

// cause says why there is another report.
func cause(before *verdict.Report, after verdict.Report) string {
	switch {
	case before == nil:
		return events.CausePush
	case before.Inventory != after.Inventory:
		return events.CauseEngine
	default:
		return events.CauseDatabase
	}
}

// where tells a finding from the others of an image.
type where struct{ id, pkg string }

func whereOf(f verdict.Finding) where { return where{f.ID, f.Package} }

// difference takes the old findings that it has found again out of old.
type difference struct {
	old   map[where]verdict.Finding
	out   events.FindingsChanged
	bytes int
}

func (d *difference) present(f verdict.Finding, now map[where]bool) {
	was, known := d.before(f, now)
	if !known {
		d.out.Counts.Added++
		d.list(&d.out.Added, change(f))
		return
	}
	delete(d.old, whereOf(was))
	if was.ID == f.ID && was.Severity == f.Severity && was.FixedVersion == f.FixedVersion {
		return
	}
	c := change(f)
	c.Was = &events.Was{ID: was.ID, Severity: string(was.Severity), FixedVersion: was.FixedVersion}
	d.out.Counts.Changed++
	d.list(&d.out.Changed, c)
}

// before finds what a finding was, also by an alias that is none of the
// findings there are now.
func (d *difference) before(f verdict.Finding, now map[where]bool) (verdict.Finding, bool) {
	if was, known := d.old[whereOf(f)]; known {
		return was, true
	}
	for _, alias := range f.Aliases {
		at := where{alias, f.Package}
		if was, known := d.old[at]; known && !now[at] {
			return was, true
		}
	}
	return verdict.Finding{}, false
}

// absent lists what was not found again.
func (d *difference) absent(before []verdict.Finding) {
	for _, f := range before {
		if _, gone := d.old[whereOf(f)]; gone {
			delete(d.old, whereOf(f))
			d.out.Counts.Removed++
			d.list(&d.out.Removed, change(f))
		}
	}
}

func change(f verdict.Finding) events.Change {
	return events.Change{ID: f.ID, Package: f.Package, Severity: string(f.Severity), FixedVersion: f.FixedVersion}
}

// list adds a change where there is room for it.
func (d *difference) list(to *[]events.Change, c events.Change) {
	const frame = 120 // names and quotes
	size := frame + len(c.ID) + len(c.Package) + len(c.FixedVersion)
	if c.Was != nil {
		size += frame + len(c.Was.ID) + len(c.Was.FixedVersion)
	}
	if len(*to) < mostListed && d.bytes+size <= mostBytes {
		d.bytes += size
		*to = append(slices.Clip(*to), c)
	}
}
