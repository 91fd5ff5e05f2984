package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// Query says which places to list; an empty field asks for nothing.
type Query struct {
	Registry, Host, Repository, Tag string
	Digest                          events.Digest
	Vulnerability, Package          string
	Severity                        verdict.Severity // a finding this bad or worse
	Status                          *verdict.Status
	Text                            string // part of the reference, in any case
	Limit                           int    // places on a page
	After                           string // id of the last place of the page before
}

// Page is a part of a list, newest first.
type Page struct {
	Places []Place
	Next   string // what After is for the next page; empty: there is none
}

const (
	// fewMembers is up to how many entries an index is read as a whole;
	// longer ones are walked through in the order of the list.
	fewMembers = 2000
	walkStep   = 500
	// walkMost bounds the places looked at for one page. A page may be short
	// and still have a next one.
	walkMost = 10000
)

// List reads one page of places.
func (v *View) List(ctx context.Context, q Query) (Page, error) {
	if q.Digest != "" {
		return v.listImage(ctx, q)
	}
	indexes := q.indexes()
	narrow, count, err := v.narrowest(ctx, indexes)
	if err != nil {
		return Page{}, err
	}
	if count <= fewMembers {
		return v.listFew(ctx, q, narrow, indexes)
	}
	return v.walk(ctx, q, indexes)
}

// listImage lists the places of one image, or of an index's platforms. They
// are few: one page holds them.
func (v *View) listImage(ctx context.Context, q Query) (Page, error) {
	i, places, err := v.Image(ctx, q.Digest)
	if errors.Is(err, ErrNotFound) {
		return Page{}, nil
	}
	if err != nil {
		return Page{}, err
	}
	if len(i.Children) > 0 {
		digests := make([]events.Digest, len(i.Children))
		for n, c := range i.Children {
			digests[n] = c.Digest
		}
		children, err := v.Images(ctx, digests)
		if err != nil {
			return Page{}, err
		}
		var ids []string
		for _, c := range children {
			ids = append(ids, c.Places...)
		}
		repositories := make(map[string]bool, len(places))
		for _, p := range places {
			repositories[p.Registry+"/"+p.Repository] = true
		}
		places, err = v.places(ctx, ids)
		if err != nil {
			return Page{}, err
		}
		places = slices.DeleteFunc(places, func(p Place) bool { return !repositories[p.Registry+"/"+p.Repository] })
	}
	q.Digest = ""
	page := Page{}
	for _, p := range places {
		if q.holds(p) && len(page.Places) < q.Limit {
			page.Places = append(page.Places, p)
		}
	}
	return page, nil
}

// indexes are the indexes the query's places are in.
func (q Query) indexes() []string {
	names := []string{indexAll}
	add := func(kind, value string) {
		if value != "" {
			names = append(names, indexName(kind, value))
		}
	}
	add(indexRegistry, q.Registry)
	add(indexRepository, q.Repository)
	add(indexVulnerability, q.Vulnerability)
	add(indexPackage, q.Package)
	add(indexSeverity, string(q.Severity))
	if q.Tag != "" {
		names = append(names, indexTag+":"+q.Tag)
	}
	if q.Status != nil {
		add(indexStatus, strconv.Itoa(int(*q.Status)))
	}
	return names
}

// holds checks what a place's document tells; vulnerabilities and packages are
// only in the indexes.
func (q Query) holds(p Place) bool {
	return (q.Host == "" || q.Host == p.Host) && p.mentions(strings.ToLower(q.Text)) &&
		(q.Registry == "" || strings.EqualFold(q.Registry, p.Registry)) &&
		(q.Repository == "" || strings.EqualFold(q.Repository, p.Repository)) &&
		(q.Tag == "" || slices.Contains(p.Tags, q.Tag)) &&
		(q.Status == nil || *q.Status == p.Status) &&
		(q.Severity == "" || p.AtLeast(q.Severity))
}

// mentions reports whether text is a part of one of the place's references.
func (p Place) mentions(text string) bool {
	name := p.Host + "/" + p.Repository
	return strings.Contains(name, text) || strings.Contains(string(p.Digest), text) ||
		slices.ContainsFunc(p.Tags, func(t string) bool { return strings.Contains(strings.ToLower(name+":"+t), text) })
}

// byScore asks for members by their scores; a count of 0 means all.
func byScore(key, low, high string, count int64) redis.ZRangeArgs {
	return redis.ZRangeArgs{Key: key, Start: low, Stop: high, ByScore: true, Count: count}
}

// live is the range of scores that have not expired.
func (v *View) live() *redis.ZRangeBy {
	return &redis.ZRangeBy{Min: "(" + strconv.FormatInt(v.now().UnixMilli(), 10), Max: "+inf"}
}

func (v *View) narrowest(ctx context.Context, indexes []string) (name string, count int64, err error) {
	counts := make([]*redis.IntCmd, len(indexes))
	live := v.live()
	_, err = v.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, index := range indexes {
			counts[i] = pipe.ZCount(ctx, v.keys.index(index), live.Min, live.Max)
		}
		return nil
	})
	if err != nil {
		return "", 0, fmt.Errorf("count index entries: %w", err)
	}
	name, count = indexes[0], counts[0].Val()
	for i, index := range indexes {
		if n := counts[i].Val(); n < count {
			name, count = index, n
		}
	}
	return name, count, nil
}

// listFew reads the shortest index whole and checks its members.
func (v *View) listFew(ctx context.Context, q Query, narrow string, indexes []string) (Page, error) {
	ids, err := v.redis.ZRangeArgs(ctx, byScore(v.keys.index(narrow), v.live().Min, v.live().Max, 0)).Result()
	if err != nil {
		return Page{}, fmt.Errorf("read index %s: %w", narrow, err)
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(ids, func(id string) bool { return q.After != "" && id <= q.After })
	var page Page
	for part := range slices.Chunk(ids, walkStep) {
		if full, err := v.take(ctx, q, indexes, part, &page); err != nil || full {
			return page, err
		}
	}
	return page, nil
}

// walk goes through all places in the list's order.
func (v *View) walk(ctx context.Context, q Query, indexes []string) (Page, error) {
	var page Page
	after := q.After
	for looked := 0; looked < walkMost; looked += walkStep {
		low := "-"
		if after != "" {
			low = "(" + after
		}
		ids, err := v.redis.ZRangeArgs(ctx, redis.ZRangeArgs{
			Key: v.keys.order(), Start: low, Stop: "+", ByLex: true, Count: walkStep,
		}).Result()
		if err != nil {
			return Page{}, fmt.Errorf("read list: %w", err)
		}
		if full, err := v.take(ctx, q, indexes, ids, &page); err != nil || full {
			return page, err
		}
		if len(ids) < walkStep {
			return page, nil
		}
		after = ids[len(ids)-1]
	}
	page.Next = after
	return page, nil
}

// take adds those of the places to the page that the query asks for, and
// reports whether it is full and another place would follow.
func (v *View) take(ctx context.Context, q Query, indexes, ids []string, page *Page) (full bool, err error) {
	if ids, err = v.inIndexes(ctx, indexes, ids); err != nil {
		return false, err
	}
	places, err := v.places(ctx, ids)
	if err != nil {
		return false, err
	}
	for _, p := range places {
		if !q.holds(p) {
			continue
		}
		if len(page.Places) == q.Limit {
			page.Next = page.Places[q.Limit-1].ID
			return true, nil
		}
		page.Places = append(page.Places, p)
	}
	return false, nil
}

// inIndexes keeps the ids that are live entries of the vulnerability and
// package indexes asked for; the rest is told by the documents.
func (v *View) inIndexes(ctx context.Context, indexes, ids []string) ([]string, error) {
	now := float64(v.now().UnixMilli())
	for _, index := range indexes {
		kind, _, _ := strings.Cut(index, ":")
		if len(ids) == 0 || kind != indexVulnerability && kind != indexPackage {
			continue
		}
		scores, err := v.redis.ZMScore(ctx, v.keys.index(index), ids...).Result()
		if err != nil {
			return nil, fmt.Errorf("read index %s: %w", index, err)
		}
		kept := make([]string, 0, len(ids))
		for i, id := range ids {
			if scores[i] > now {
				kept = append(kept, id)
			}
		}
		ids = kept
	}
	return ids, nil
}

// Count is how many places are in the view.
func (v *View) Count(ctx context.Context) (int64, error) {
	_, n, err := v.narrowest(ctx, []string{indexAll})
	return n, err
}

// Tally counts places by status, and by the severities they have or exceed.
type Tally struct {
	Status   map[verdict.Status]int64
	Severity map[verdict.Severity]int64
}

// Tally counts the places in the view.
func (v *View) Tally(ctx context.Context) (Tally, error) {
	live := v.live()
	status, severity := map[verdict.Status]*redis.IntCmd{}, map[verdict.Severity]*redis.IntCmd{}
	_, err := v.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for s := verdict.Failed; s <= verdict.Completed; s++ {
			status[s] = pipe.ZCount(ctx, v.keys.index(indexName(indexStatus, strconv.Itoa(int(s)))), live.Min, live.Max)
		}
		for s := range severities(verdict.Summary{}) {
			severity[s] = pipe.ZCount(ctx, v.keys.index(indexName(indexSeverity, string(s))), live.Min, live.Max)
		}
		return nil
	})
	if err != nil {
		return Tally{}, fmt.Errorf("count places: %w", err)
	}
	t := Tally{Status: map[verdict.Status]int64{}, Severity: map[verdict.Severity]int64{}}
	for s, c := range status {
		t.Status[s] = c.Val()
	}
	for s, c := range severity {
		t.Severity[s] = c.Val()
	}
	return t, nil
}
