package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/limit"
)

const (
	fetchTime = 5 * time.Second // of all documents that a proof takes; deliveries wait for less
	fetchMost = 256 << 10       // bytes; Entra's keys, the largest met, are 20 KiB
)

// fetcher reads small public documents. It goes where it is sent and not on
// from there: a redirect is an answer like any other.
type fetcher struct{ client *http.Client }

func newFetcher(given *http.Client) fetcher {
	c := &http.Client{Timeout: fetchTime}
	if given != nil {
		c.Transport = given.Transport
		if given.Timeout > 0 {
			c.Timeout = min(c.Timeout, given.Timeout)
		}
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: fetchTime}).DialContext, TLSHandshakeTimeout: fetchTime,
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		}
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return fetcher{c}
}

// get reads a document. The error is ErrUnavailable unless the server has said
// that there is no such thing.
func (f fetcher) get(ctx context.Context, url string) (body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	switch code := res.StatusCode; {
	case code == http.StatusOK:
	case code >= http.StatusInternalServerError || code == http.StatusTooManyRequests:
		return nil, fmt.Errorf("%w: get %s: answered %s", ErrUnavailable, url, res.Status)
	default:
		return nil, fmt.Errorf("get %s: answered %s", url, res.Status)
	}
	body, err = limit.ReadAll(res.Body, fetchMost)
	switch {
	case errors.Is(err, limit.ErrTooLong):
		return nil, fmt.Errorf("get %s: %w", url, err)
	case err != nil:
		return nil, fmt.Errorf("%w: get %s: %w", ErrUnavailable, url, err)
	}
	return body, nil
}
