package report_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// leftOver lists the keys of the store that the view never gives up.
func leftOver(t *testing.T, c *redis.Client) []string {
	t.Helper()
	all, err := c.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, key := range all {
		if key != "lw:marker" {
			left = append(left, key)
		}
	}
	return left
}

func TestResultsAreFollowed(t *testing.T) {
	eachStore(t, func(t *testing.T, store *redis.Client) {
		t.Helper()
		r := newRig(t, store)
		r.start()
		r.putPlace(place(1))
		r.putJob(1, state.JobQueued, "")
		r.announce(events.ScanQueued, 1, "queued")
		if got := r.shows("", 1).Images[0]; got.Status != verdict.Pending || got.Summary != nil {
			t.Errorf("status %d, summary %v of a queued image, want %d and none", got.Status, got.Summary, verdict.Pending)
		}
		r.putJob(1, state.JobDone, "")
		r.putReport(1, sample(1))
		// The events of the past come after those of the present, some twice,
		// the one that matters never: what counts is the state.
		for i, kind := range []events.Kind{events.ScanStarted, events.ScanQueued, events.ScanStarted} {
			r.announce(kind, 1, fmt.Sprint("late", i))
		}
		r.eventually("report", func() string {
			if got := r.list("").Images[0]; got.Status != verdict.Completed || got.Summary == nil || got.Summary.High != 1 {
				return fmt.Sprintf("image is %+v", got)
			}
			return ""
		})
		for _, query := range []string{
			"?severity=high", "?severity=low", "?status=6", "?vulnerability=cve-2026-0001", "?vulnerability=GHSA-xxxx-yyyy-zzzz",
			"?package=libssl3", "?package=openssl", "?registry=hub", "?repository=acme/app1", "?tag=v1",
			"?ref=registry.test/acme/app1:v1", "?ref=registry.test/acme/app1@" + string(digest(1)), "?ref=registry.test/acme/app1",
		} {
			if n := len(r.list(query).Images); n != 1 {
				t.Errorf("images%s lists %d, want 1", query, n)
			}
		}
		for _, query := range []string{
			"?severity=critical", "?status=3", "?vulnerability=CVE-2026-9999", "?package=bash", "?registry=other",
			"?tag=v2", "?ref=other.test/acme/app1:v1", "?severity=unknown",
		} {
			if n := len(r.list(query).Images); n != 0 {
				t.Errorf("images%s lists %d, want none", query, n)
			}
		}
	})
}

func TestEntriesThatNoLongerHoldAreTakenOut(t *testing.T) {
	eachStore(t, func(t *testing.T, store *redis.Client) {
		t.Helper()
		r := newRig(t, store)
		r.start()
		p := place(1)
		r.putPlace(p)
		r.putReport(1, sample(1))
		r.announce(events.ImageChanged, 1, "one")
		r.shows("?vulnerability=CVE-2026-0001", 1)
		fixed := sample(1)
		fixed.Findings, fixed.Summary = nil, verdict.Summary{}
		r.putReport(1, fixed)
		p.Tags = map[string]time.Time{"v2": time.Now()}
		r.putPlace(p)
		r.announce(events.ImageChanged, 1, "two")
		r.shows("?tag=v2", 1)
		for _, query := range []string{"?vulnerability=CVE-2026-0001", "?severity=high", "?tag=v1"} {
			if n := len(r.list(query).Images); n != 0 {
				t.Errorf("images%s lists %d, want none", query, n)
			}
		}
		r.removePlace(p)
		r.announce(events.ImageExpired, 1, "three")
		r.eventually("removal", func() string { return strings.Join(leftOver(t, store), " ") })
	})
}

func TestWipedStoreIsRebuilt(t *testing.T) {
	eachStore(t, func(t *testing.T, store *redis.Client) {
		t.Helper()
		r := newRig(t, store)
		for n := range 5 {
			r.putPlace(place(n))
			r.putReport(n, sample(n))
		}
		gone := place(5)
		gone.MissingSince = time.Now().Add(-2 * time.Hour) // its retention is over
		r.putPlace(gone)
		r.start() // no event was ever published
		r.shows("", 5)
		if err := store.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if res := r.call(http.MethodPost, "/api/v1/rebuild", nil, nil); res.StatusCode != http.StatusOK {
			t.Fatalf("rebuild: %s", res.Status)
		}
		if n := len(r.list("?vulnerability=CVE-2026-0003").Images); n != 1 {
			t.Errorf("after a rebuild %d images have the vulnerability, want 1", n)
		}
		if err := store.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		r.shows("", 5) // noticed without being told
		var rep verdict.Report
		r.call(http.MethodGet, "/api/v1/reports/"+string(digest(2)), nil, &rep)
		if len(rep.Findings) != 1 || rep.Image.Repository != "acme/app2" || rep.Image.Registry != "hub" {
			t.Errorf("report after a wipe is %+v", rep)
		}
	})
}

func TestMissingImageExpires(t *testing.T) {
	eachStore(t, func(t *testing.T, store *redis.Client) {
		t.Helper()
		r := newRig(t, store)
		p := place(1)
		r.putPlace(p)
		r.putReport(1, sample(1))
		r.start()
		r.shows("", 1)
		p.Retention = config.Duration(2 * time.Second)
		p.MissingSince = time.Now()
		r.putPlace(p)
		r.announce(events.ImageGone, 1, "gone")
		expires := p.ExpiresAt()
		r.eventually("expiry", func() string {
			l := r.list("")
			switch now := time.Now(); {
			case len(l.Images) == 1 && now.After(expires.Add(time.Second)):
				return "still listed"
			case len(l.Images) == 0 && now.Before(expires.Add(-50*time.Millisecond)):
				t.Fatal("gone before its time")
			case len(l.Images) == 1:
				return "not due yet"
			}
			return ""
		})
		// The record is still there: the keeper of records has not come by.
		r.eventually("removal of every key", func() string { return strings.Join(leftOver(t, store), " ") })
	})
}

func TestPresentImageOutlivesItsSafetyTime(t *testing.T) {
	eachStore(t, func(t *testing.T, store *redis.Client) {
		t.Helper()
		r := newRig(t, store)
		p := place(1)
		// Longer than a busy machine keeps the service from its turn.
		p.Retention, p.CheckEvery = config.Duration(1500*time.Millisecond), config.Duration(750*time.Millisecond)
		r.putPlace(p)
		r.putReport(1, sample(1))
		r.start()
		r.shows("", 1)
		until := time.Now().Add(3 * time.Duration(p.Retention+2*p.CheckEvery))
		r.eventually("several lifetimes", func() string {
			for _, query := range []string{"", "?vulnerability=CVE-2026-0001", "?status=6"} {
				if n := len(r.list(query).Images); n != 1 {
					t.Fatalf("images%s lists %d, want 1 all the time", query, n)
				}
			}
			if time.Now().Before(until) {
				return "not over yet"
			}
			return ""
		})
		// Nobody keeps it alive any more: it goes by itself.
		r.stop()
		r.eventually("expiry without the service", func() string {
			n, err := store.Exists(t.Context(), "lw:image:"+digest(1).Token(), "lw:report:"+digest(1).Token()).Result()
			if err != nil || n > 0 {
				return fmt.Sprintf("%d keys left, %v", n, err)
			}
			return ""
		})
		r.start()
		r.shows("", 1)
	})
}

func TestPages(t *testing.T) {
	eachStore(t, func(t *testing.T, store *redis.Client) {
		t.Helper()
		r := newRig(t, store)
		const images = 25
		for n := range images {
			r.putPlace(place(n))
		}
		r.start()
		r.shows("", images)
		seen := map[events.Digest]bool{}
		for next, pages := "", 0; pages == 0 || next != ""; pages++ {
			l := r.list("?limit=10&cursor=" + next)
			for _, i := range l.Images {
				if seen[i.Digest] {
					t.Fatalf("image %s is on two pages", i.Digest)
				}
				seen[i.Digest] = true
			}
			next = l.Next
		}
		if len(seen) != images {
			t.Errorf("pages list %d images, want %d", len(seen), images)
		}
	})
}
