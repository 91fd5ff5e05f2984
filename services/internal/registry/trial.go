package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"time"
)

// The steps of a trial, in their order.
const (
	StepResolve  = "resolve" // the address's name
	StepConnect  = "connect"
	StepTLS      = "tls"
	StepLogin    = "login"
	StepCatalog  = "catalog"
	StepTags     = "tags"     // of one repository
	StepManifest = "manifest" // of one tag
)

// Step is what came of one step of a trial.
type Step struct {
	Name   string
	Took   time.Duration
	Err    error  // nil: it worked
	Detail string // what was found; blank: nothing worth telling
}

// errNotTried is the error of a step that another one has to come before.
var errNotTried = errors.New("not tried")

// Wanted says what a trial is to ask for.
type Wanted struct {
	Repository string                       // to read; blank: one of the catalog
	Patterns   []string                     // for the catalog, as Catalog takes them
	Choose     func(repository string) bool // which of the catalog's first page; nil: any
}

// Try goes the way a scan goes, a step at a time, up to one manifest, and tells
// what came of each. It is to be the client's first use: what is already
// connected and logged in shows nothing.
func (c *Client) Try(ctx context.Context, want Wanted, tell func(Step)) {
	if !c.tryConnection(ctx, tell) {
		notTried(tell, "there is no connection", StepLogin, StepCatalog, StepTags, StepManifest)
		return
	}
	login := timed(StepLogin, func() (string, error) { return "", c.Ping(ctx) })
	tell(login)
	if errors.Is(login.Err, ErrUnavailable) {
		notTried(tell, "the registry gives no answers", StepCatalog, StepTags, StepManifest)
		return
	}
	repository := want.Repository
	tell(timed(StepCatalog, func() (string, error) {
		page, next, err := c.Catalog(ctx, want.Patterns, "", 0)
		if repository == "" {
			repository = want.choose(page)
		}
		return counted(len(page), next, "repository", "repositories"), err
	}))
	if repository == "" {
		notTried(tell, "no repository is known: name one", StepTags, StepManifest)
		return
	}
	tag := ""
	tell(timed(StepTags, func() (string, error) {
		page, next, err := c.Tags(ctx, repository, "", 0)
		if len(page) > 0 {
			tag = page[0].Name
		}
		return counted(len(page), next, "tag", "tags") + " in " + repository + told(page), err
	}))
	if tag == "" {
		notTried(tell, "no tag is known", StepManifest)
		return
	}
	tell(timed(StepManifest, func() (string, error) {
		d, err := c.Head(ctx, repository, tag)
		if err == nil {
			_, _, err = c.Manifest(ctx, repository, d.Digest)
		}
		return repository + ":" + tag + " is " + d.Digest, err
	}))
}

func (w Wanted) choose(page []string) string {
	if w.Choose != nil {
		if i := slices.IndexFunc(page, w.Choose); i >= 0 {
			return page[i]
		}
	}
	if len(page) > 0 {
		return page[0]
	}
	return ""
}

func counted(n int, next, one, many string) string {
	switch {
	case next != "":
		return fmt.Sprintf("more than %d %s", n, many)
	case n == 1:
		return "1 " + one
	default:
		return fmt.Sprintf("%d %s", n, many)
	}
}

// told says what a list tells of its tags, which decides what a sweep has to
// ask for beside it.
func told(page []Tag) string {
	digests, dates := 0, 0
	for _, t := range page {
		if t.Digest != "" {
			digests++
		}
		if !t.Pushed.IsZero() {
			dates++
		}
	}
	switch all := len(page); {
	case all == 0:
		return ""
	case digests == all && dates == all:
		return ", with digests and push dates"
	case digests == all:
		return ", with digests; push dates are those of webhooks, else the images' own"
	case dates == all:
		return ", with push dates; each is asked for its digest"
	default:
		return ", without digests and push dates; each is asked for, and dates are those of webhooks, else the images' own"
	}
}

func timed(name string, do func() (string, error)) Step {
	begun := time.Now()
	detail, err := do()
	s := Step{Name: name, Took: time.Since(begun), Err: err}
	if err == nil {
		s.Detail = detail
	}
	return s
}

func notTried(tell func(Step), why string, steps ...string) {
	for _, name := range steps {
		tell(Step{Name: name, Err: fmt.Errorf("%w: %s", errNotTried, why)})
	}
}

// tryConnection asks how to log in, and watches how the connection is made.
func (c *Client) tryConnection(ctx context.Context, tell func(Step)) bool {
	ctx, cancel := limited(ctx)
	defer cancel()
	var w watch
	_, err := c.challenge(httptrace.WithClientTrace(ctx, w.trace()))
	if err != nil {
		err = c.broken(ctx, target{op: "connect"}, err)
	}
	steps := w.steps(c.guard.scheme, err)
	for i, s := range steps {
		tell(s)
		if s.Err != nil {
			for _, later := range steps[i+1:] {
				notTried(tell, s.Name+" failed", later.Name)
			}
			return false
		}
	}
	return true
}

// span is a part of making a connection.
type span struct {
	begun  time.Time
	took   time.Duration
	ended  bool // well
	err    error
	detail string
}

func (s *span) begin() {
	if s.begun.IsZero() {
		s.begun = time.Now()
	}
}

func (s *span) step(name string, why error) Step {
	out := Step{Name: name, Took: s.took, Err: s.err, Detail: s.detail}
	if !s.ended && out.Err == nil {
		out.Err = why
	}
	if !s.ended && out.Err == nil {
		out.Err = errors.New("it did not end")
	}
	return out
}

// end keeps the first success; of failures the last.
func (s *span) end(err error, detail string) {
	if s.ended {
		return
	}
	s.took, s.err, s.ended, s.detail = time.Since(s.begun), err, err == nil, detail
}

// watch sees a connection being made, on several goroutines where a name has
// several addresses.
type watch struct {
	mu             sync.Mutex
	dns, dial, tls span
}

// steps is how far the connection came. err is why it came no further, where
// the step itself does not know.
func (w *watch) steps(scheme string, err error) []Step {
	w.mu.Lock()
	defer w.mu.Unlock()
	resolve, connect, secure := w.dns.step(StepResolve, err), w.dial.step(StepConnect, err), w.tls.step(StepTLS, err)
	if w.dns.begun.IsZero() && !w.dial.begun.IsZero() {
		resolve = Step{Name: StepResolve, Detail: "the address needs no resolving"}
	}
	if scheme == "http" {
		secure = Step{Name: StepTLS, Detail: "none: the registry is spoken to in plain HTTP"}
	}
	return []Step{resolve, connect, secure}
}

func (w *watch) trace() *httptrace.ClientTrace {
	locked := func(do func()) {
		w.mu.Lock()
		defer w.mu.Unlock()
		do()
	}
	return &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { locked(w.dns.begin) },
		DNSDone: func(i httptrace.DNSDoneInfo) {
			var found []string
			for _, a := range i.Addrs {
				found = append(found, a.String())
			}
			locked(func() { w.dns.end(i.Err, strings.Join(found, ", ")) })
		},
		ConnectStart:      func(string, string) { locked(w.dial.begin) },
		ConnectDone:       func(_, address string, err error) { locked(func() { w.dial.end(err, address) }) },
		TLSHandshakeStart: func() { locked(w.tls.begin) },
		TLSHandshakeDone: func(s tls.ConnectionState, err error) {
			locked(func() { w.tls.end(err, tls.VersionName(s.Version)) })
		},
	}
}
