package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const maxErrorBody = 64 << 10

var errorCode = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,63}$`)

// target is what a request is about, for its scope and for messages.
type target struct {
	op, repo, ref string

	access string // what the token is to allow; blank: to pull
}

func (t target) String() string {
	switch {
	case t.repo == "":
		return t.op
	case t.ref == "":
		return t.op + " of " + cut(t.repo)
	case strings.Contains(t.ref, ":"):
		return t.op + " " + cut(t.repo) + "@" + cut(t.ref)
	}
	return t.op + " " + cut(t.repo) + ":" + cut(t.ref)
}

func (t target) scope() string {
	switch {
	case t.repo == "":
		return "registry:catalog:*"
	case t.access != "":
		return "repository:" + t.repo + ":" + t.access
	}
	return "repository:" + t.repo + ":pull"
}

func (t target) check() error {
	if !IsRepository(t.repo) {
		return fmt.Errorf("%w: not a repository", ErrInvalid)
	}
	if !IsTag(t.ref) && !IsDigest(t.ref) {
		return fmt.Errorf("%w: neither a tag nor a digest", ErrInvalid)
	}
	return nil
}

func (t target) checkDigest() error {
	if err := t.check(); err != nil {
		return err
	}
	if !IsDigest(t.ref) {
		return fmt.Errorf("%w: not a digest", ErrInvalid)
	}
	return nil
}

// do sends one request. A refusal of the token it was sent with is answered
// once with a new one: tokens and sessions may have expired.
func (c *Client) do(ctx context.Context, method string, t target, path, query string, header http.Header) (*http.Response, error) {
	for again := false; ; again = true {
		s, err := c.session(ctx, t.scope())
		if err != nil {
			return nil, c.broken(ctx, t, err)
		}
		req, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
		if err != nil {
			return nil, c.wrap(t, fmt.Errorf("%w: %w", ErrInvalid, err))
		}
		req.URL.RawQuery = query
		maps.Copy(req.Header, header)
		client := http.Client{Transport: s, CheckRedirect: c.guard.checkRedirect}
		resp, err := client.Do(req)
		if err != nil {
			return nil, c.broken(ctx, t, err)
		}
		if resp.StatusCode != http.StatusUnauthorized || again {
			return resp, nil
		}
		drain(resp)
		c.forget(t.scope())
	}
}

// wrap says what was tried where, once: what went wrong on the way to a request
// says so itself.
func (c *Client) wrap(t target, err error) error {
	if strings.HasPrefix(err.Error(), "registry "+c.name+": ") {
		return err
	}
	return fmt.Errorf("registry %s: %s: %w", c.name, t, err)
}

// broken is the error of a request that got no answer, or half of one. The
// libraries' own messages are not repeated: they quote addresses with their
// queries and token servers' answers.
func (c *Client) broken(ctx context.Context, t target, err error) error {
	var (
		unavailable *Unavailable
		status      *transport.Error
	)
	switch {
	case errors.As(context.Cause(ctx), &unavailable), errors.As(err, &unavailable):
		return c.wrap(t, unavailable)
	case ctx.Err() != nil:
		return c.wrap(t, ctx.Err())
	case isKind(err):
		return c.wrap(t, withoutURL(err))
	case errors.As(err, &status):
		return c.wrap(t, c.statusError(t, status.StatusCode, codesOf(status)))
	}
	return c.wrap(t, &Unavailable{Reason: "no usable answer from the registry or its token server"})
}

// limited gives a request whose answer is small its time.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	slow := &Unavailable{Reason: "no whole answer within " + smallTimeout.String()}
	return context.WithTimeoutCause(ctx, smallTimeout, slow)
}

// refused is the error of an answer with another status than was hoped for.
func (c *Client) refused(t target, resp *http.Response) error {
	var body struct {
		Errors []struct {
			Code string `json:"code"`
		} `json:"errors"`
	}
	var codes []string
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err == nil && json.Unmarshal(raw, &body) == nil {
		for _, e := range body.Errors {
			codes = append(codes, e.Code)
		}
	}
	return c.wrap(t, c.statusError(t, resp.StatusCode, codes))
}

func (c *Client) statusError(t target, status int, codes []string) error {
	said := fmt.Sprintf("status %d", status)
	if i := slices.IndexFunc(codes, errorCode.MatchString); i >= 0 { // the rest of the answer could repeat what it was asked with
		said += " " + codes[i]
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		if c.credential == "" {
			return fmt.Errorf("%w without a credential: %s", ErrUnauthorized, said)
		}
		return fmt.Errorf("%w with credential %s: %s", ErrUnauthorized, c.credential, said)
	case t.repo == "" && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented):
		return fmt.Errorf("%w: %s", ErrUnsupported, said)
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: %s", ErrNotFound, said)
	case status >= http.StatusInternalServerError || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests:
		return &Unavailable{Reason: said}
	}
	return fmt.Errorf("%w: %s", ErrInvalid, said)
}

func codesOf(e *transport.Error) []string {
	var codes []string
	for _, d := range e.Errors {
		codes = append(codes, string(d.Code))
	}
	return codes
}

// isKind reports whether an error already says what it is.
func isKind(err error) bool {
	for _, kind := range []error{ErrNotFound, ErrUnauthorized, ErrTooLarge, ErrInvalid, ErrUnsupported} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// withoutURL takes the request's address, whose query may hold a signature,
// out of an error.
func withoutURL(err error) error {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		return urlErr.Err
	}
	return err
}

// drain reads the little that may be left, so that the connection can be used
// again, and closes the body.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody)
	_ = resp.Body.Close()
}

// cut shortens what came from outside for a message.
func cut(s string) string {
	const most = 200
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
