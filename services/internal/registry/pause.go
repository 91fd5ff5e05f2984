package registry

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxPause is the longest that a registry is left alone because it said so:
// past it it is asked once, and may say so again.
const maxPause = 24 * time.Hour

// Part is what of a registry is to be left alone.
type Part string

// The parts. What is asked of one may be limited while the others answer.
const (
	Everything Part = ""
	Pulls      Part = "pulls"    // reading manifests, as Docker Hub counts them
	Listings   Part = "listings" // the vendor's interface, where that is another service
)

// Pause is a registry's wish to be left alone.
type Pause struct {
	Part  Part
	Until time.Time // of a silent one it follows from those before it: see Following
	Why   string    // what it said; without secrets

	// Of a silent one, which does not say for how long.
	First    time.Duration // how long to rest after the first in a row; 0: it is not silent
	Of       Part          // what was asked for: an answer to the same ends the row
	Sent     time.Time     // when it was asked for
	Refusals int           // how many there were in a row; Following counts them
}

// err is what whoever asks in the pause is told.
func (p Pause) err(now time.Time) error {
	what := "the registry"
	if p.Part != Everything {
		what += " (" + string(p.Part) + ")"
	}
	why := p.Why
	if p.Refusals > 1 {
		why += fmt.Sprintf(", the %d. time in a row without a time to wait", p.Refusals)
	}
	return &Unavailable{
		RetryAfter: p.Until.Sub(now), Paused: true,
		Reason: fmt.Sprintf("%s asked to be left alone until %s: %s", what, p.Until.UTC().Format(time.RFC3339), why),
	}
}

// partOf is what a request is about, as registries count it.
func (g *guard) partOf(req *http.Request) Part {
	switch {
	case !g.isOwn(req.URL) && g.isTrusted(req.URL):
		return Listings
	case req.Method == http.MethodGet && strings.HasPrefix(req.URL.Path, "/v2/") && strings.Contains(req.URL.Path, "/manifests/"):
		return Pulls
	default:
		return Everything
	}
}

// heed does what an answer says about further requests. An answer that is
// nothing but the wish to be left alone is the error of that.
func (g *guard) heed(req *http.Request, resp *http.Response, about Part, sent time.Time) (*http.Response, error) {
	now := time.Now()
	ours := g.isOwn(req.URL) || g.isTrusted(req.URL) || g.isRealm(req.URL) // what a redirect leads to has limits of its own
	pulls := time.Duration(0)
	if g.isOwn(req.URL) {
		pulls = pullRest(resp.Header)
	}
	if pulls > 0 {
		g.budget.Rest(req.Context(), Pause{Part: Pulls, Until: now.Add(pulls), Why: "no pulls are left (ratelimit-remaining: 0)"})
	}
	after, busy := askedFor(resp, now)
	why := "status " + strconv.Itoa(resp.StatusCode)
	if !busy {
		switch {
		case ours && resp.StatusCode == http.StatusServiceUnavailable: // an error like others; but it has too much to do
			g.budget.Rest(req.Context(), Pause{Part: about.limited(), First: brokenRest, Of: about, Sent: sent, Why: why})
		case g.served(req, resp):
			g.budget.Answered(req.Context(), about, sent)
		}
		return resp, nil
	}
	drain(resp)
	if after > maxPause {
		why += fmt.Sprintf(" for %s, of which %s are kept", after, maxPause)
		after = maxPause
	}
	part := about.limited()
	if about == Pulls && pulls > 0 {
		part, after = Pulls, max(after, pulls)
	}
	switch {
	case ours && after > 0:
		g.budget.Rest(req.Context(), Pause{Part: part, Until: now.Add(max(after, silentRest)), Why: why})
	case ours:
		g.budget.Rest(req.Context(), Pause{Part: part, First: silentRest, Of: about, Sent: sent, Why: why})
	}
	return nil, &Unavailable{RetryAfter: after, Reason: why, Paused: true}
}

// limited is what is to be left alone where an answer does not say it: a pull
// that is refused may be any request that is.
func (p Part) limited() Part {
	if p == Pulls {
		return Everything
	}
	return p
}

// served reports whether an answer is what the registry is there for. How to
// log in, and tokens, it may tell while it refuses everything else.
func (g *guard) served(req *http.Request, resp *http.Response) bool {
	asked := g.isTrusted(req.URL) || g.isOwn(req.URL) && !g.isRealmPath(req.URL) && req.URL.Path != "/v2/"
	return asked && (resp.StatusCode < http.StatusBadRequest || resp.StatusCode == http.StatusNotFound)
}

// askedFor reports whether an answer asks to be left alone, and for how long; 0: it
// does not say. GitHub says so with 403, and when its window ends in a header:
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
func askedFor(resp *http.Response, now time.Time) (after time.Duration, busy bool) {
	h := resp.Header
	after = retryAfter(h.Get("Retry-After"), now)
	usedUp := h.Get("X-Ratelimit-Remaining") == "0"
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		busy = true
	case http.StatusForbidden:
		busy = usedUp || h.Get("Retry-After") != ""
	case http.StatusServiceUnavailable:
		busy = h.Get("Retry-After") != ""
	}
	if busy && usedUp && after == 0 {
		after = untilEpoch(h.Get("X-Ratelimit-Reset"), now)
	}
	return after, busy
}

// retryAfter reads the header: seconds, or a date. What is beyond any sense is
// a hundred years.
func retryAfter(h string, now time.Time) time.Duration {
	const longest = 100 * 365 * 24 * time.Hour
	h = strings.TrimSpace(h)
	if h != "" && strings.Trim(h, "0123456789") == "" {
		n, err := strconv.ParseInt(h, 10, 64)
		if err != nil || n > int64(longest/time.Second) {
			return longest
		}
		return time.Duration(n) * time.Second
	}
	t, err := http.ParseTime(h)
	if err != nil {
		return 0
	}
	return max(t.Sub(now), 0) // which is at most 292 years
}

// untilEpoch reads a time in seconds since 1970; 0: none that is ahead.
func untilEpoch(h string, now time.Time) time.Duration {
	n, err := strconv.ParseInt(h, 10, 64)
	if err != nil {
		return 0
	}
	return max(time.Unix(n, 0).Sub(now), 0)
}

// pullRest reads what Docker Hub says of the pulls left, and returns how long
// none should be tried; 0: some are left. The window slides, so that a pull
// comes free after the window's length divided by the pulls in it. See
// https://docs.docker.com/docker-hub/usage/pulls/
func pullRest(h http.Header) time.Duration {
	left, _, ok := quota(h.Get("Ratelimit-Remaining"))
	if !ok || left > 0 {
		return 0
	}
	const least, most = time.Minute, time.Hour
	limit, window, ok := quota(h.Get("Ratelimit-Limit"))
	if !ok || limit == 0 || window == 0 {
		return least
	}
	return min(max(window/time.Duration(limit), least), most)
}

// take waits for the request's turn: its share of the budget, and a slot.
func (g *guard) take(ctx context.Context, req *http.Request, about Part) error {
	most := g.most
	if g.isOwn(req.URL) || g.isTrusted(req.URL) {
		share, err := g.budget.Wait(ctx, about)
		if err != nil {
			return err
		}
		if share > 0 {
			most = share
		}
	}
	return g.slots.take(ctx, most)
}
