package view

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// members remembers where an image's places stand in indexes, so that they can
// be taken out again.
type members struct {
	Report events.Digest     `json:"report,omitempty"`
	Shared []string          `json:"shared,omitempty"` // indexes every place is in: its vulnerabilities and packages
	Places map[string]member `json:"places"`
}

type member struct {
	Expires int64    `json:"expires"` // milliseconds
	Indexes []string `json:"indexes"`
	// News is the index of new images it is in until New; blank: none.
	News string `json:"news,omitempty"`
	New  int64  `json:"new,omitempty"`
}

// errUnreadable says that what was written before cannot be made sense of.
var errUnreadable = errors.New("index entries not readable")

// readMembers reads what was written before; nothing is no error.
func (v *View) readMembers(ctx context.Context, c redis.Cmdable, d events.Digest) (members, error) {
	var m members
	raw, err := c.Get(ctx, v.keys.members(d)).Bytes()
	if errors.Is(err, redis.Nil) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("read index entries of %s: %w", d, err)
	}
	if raw, err = unpack(raw); err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		return members{}, fmt.Errorf("%w: of %s: %w", errUnreadable, d, err)
	}
	return m, nil
}

// membersOf lays out where the picture's places are to stand, from now on.
func membersOf(p Picture, before members, now time.Time) members {
	m := members{Report: p.Image.Report, Places: make(map[string]member, len(p.Entries))}
	for _, id := range p.Vulnerabilities {
		m.Shared = append(m.Shared, indexName(indexVulnerability, id))
	}
	for _, name := range p.Packages {
		m.Shared = append(m.Shared, indexName(indexPackage, name))
	}
	slices.Sort(m.Shared)
	m.Shared = slices.Compact(m.Shared)
	if p.SameReport {
		m.Shared = before.Shared
	}
	for _, e := range p.Entries {
		stand := member{
			Expires: expiry(e, before.Places[e.Place.ID].Expires, now),
			Indexes: placeIndexes(e.Place),
		}
		if until := e.Place.FirstSeen.Add(CoverageWindow); until.After(now) {
			stand.News, stand.New = newsIndex(e.Place), until.UnixMilli()
		}
		m.Places[e.Place.ID] = stand
	}
	return m
}

// expiry is when the entry expires. A present place keeps the expiry it has
// while three quarters of its safety time are left: not every small change
// has to touch all of its index entries.
func expiry(e Entry, before int64, now time.Time) int64 {
	if !e.Until.IsZero() {
		return e.Until.UnixMilli()
	}
	fresh := now.Add(e.Safety).UnixMilli()
	if before <= fresh && before >= now.Add(e.Safety*3/4).UnixMilli() {
		return before
	}
	return fresh
}

// placeIndexes are the indexes one place is in. An image index stands for its
// platforms, which are listed themselves: it is found by its digest only.
func placeIndexes(p Place) []string {
	if p.Index {
		return nil
	}
	names := []string{
		indexAll,
		indexName(indexRegistry, p.Registry),
		indexName(indexRepository, p.Repository),
		indexName(indexStatus, strconv.Itoa(int(p.Status))),
	}
	for _, t := range p.Tags {
		names = append(names, indexTag+":"+t) // the case of a tag counts
	}
	for severity := range severities(verdict.Summary{}) {
		if p.AtLeast(severity) {
			names = append(names, indexName(indexSeverity, string(severity)))
		}
	}
	slices.Sort(names)
	return names
}

// AtLeast reports whether a finding of the image is that bad or worse. What
// nobody rated is neither worse nor better than anything.
func (p Place) AtLeast(severity verdict.Severity) bool {
	counts := severities(p.Summary)
	if !p.Reported || severity == verdict.Unknown {
		return p.Reported && counts[severity] > 0
	}
	for _, s := range []verdict.Severity{verdict.Critical, verdict.High, verdict.Medium, verdict.Low, verdict.Negligible} {
		if counts[s] > 0 {
			return true
		}
		if s == severity {
			return false
		}
	}
	return false
}

func severities(s verdict.Summary) map[verdict.Severity]int {
	return map[verdict.Severity]int{
		verdict.Critical: s.Critical, verdict.High: s.High, verdict.Medium: s.Medium, verdict.Low: s.Low,
		verdict.Negligible: s.Negligible, verdict.Unknown: s.Unknown,
	}
}

// entries lists what the members come to: place id and expiry by index.
func (m members) entries() map[string]map[string]int64 {
	all := make(map[string]map[string]int64, len(m.Shared)+len(m.Places))
	add := func(index, id string, expires int64) {
		if all[index] == nil {
			all[index] = make(map[string]int64, len(m.Places))
		}
		all[index][id] = expires
	}
	for id, p := range m.Places {
		for _, index := range p.Indexes {
			add(index, id, p.Expires)
		}
		if len(p.Indexes) == 0 {
			continue // an image index
		}
		for _, index := range m.Shared {
			add(index, id, p.Expires)
		}
		if p.News != "" {
			add(p.News, id, min(p.Expires, p.New))
		}
	}
	return all
}
