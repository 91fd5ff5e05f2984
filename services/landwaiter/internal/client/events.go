package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Event is one server-sent event.
type Event struct {
	ID   string
	Kind string
	Data string // a CloudEvent as JSON
}

// maxLine bounds one line of a stream: an event has at most 1 MiB.
const maxLine = 2 << 20

// again is the pause before a stream that ended is opened again.
const again = 2 * time.Second

// Follow gives each event to each, until ctx ends or each returns an error. A
// stream that breaks off is taken up where it broke; opened is called each
// time it is open.
func (c *Client) Follow(ctx context.Context, query url.Values, opened func(), each func(Event) error) error {
	last := ""
	for {
		err := c.follow(ctx, query, &last, opened, each)
		var stop *stopped
		var refused *ProblemError
		switch {
		case errors.As(err, &stop):
			return stop.err
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end of ctx is how following ends
		case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError, last == "" && err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
	}
}

// stopped is an error of the one who reads the events.
type stopped struct{ err error }

func (s *stopped) Error() string { return s.err.Error() }

func (c *Client) follow(ctx context.Context, query url.Values, last *string, opened func(), each func(Event) error) error {
	u := c.base.String() + "/api/v1/events?" + query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if *last != "" {
		req.Header.Set("Last-Event-ID", *last)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return &UnreachableError{Address: c.base.String(), Err: err}
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return c.problem(res)
	}
	opened()
	return Events(res.Body, func(e Event) error {
		if e.ID != "" {
			*last = e.ID
		}
		if err := each(e); err != nil {
			return &stopped{err}
		}
		return nil
	})
}

// Events reads server-sent events until r ends.
func Events(r io.Reader, each func(Event) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	var e Event
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			if e.Data != "" {
				if err := each(e); err != nil {
					return err
				}
			}
			e = Event{}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			e.ID = value
		case "event":
			e.Kind = value
		case "data":
			if e.Data != "" {
				value = e.Data + "\n" + value
			}
			if len(value) > maxLine {
				return fmt.Errorf("event of more than %d bytes", maxLine)
			}
			e.Data = value
		}
	}
	return lines.Err()
}
