package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

const (
	maxPage     = 8 << 20
	defaultPage = 100
	largestPage = 1000 // what ECR accepts
	maxCursor   = 4 << 10
)

// Catalog lists one page of the registry's repositories. after is blank for
// the first page and what the last call returned as next for the others; a
// blank next ends the list. n is a wish, 1 to 1000, 0 for 100. A list counts
// as complete only when its last page came without an error.
func (c *Client) Catalog(ctx context.Context, after string, n int) (page []string, next string, err error) {
	t := target{op: "list repositories"}
	var answer struct {
		Repositories []string `json:"repositories"`
	}
	next, err = c.list(ctx, t, path("_catalog"), after, n, &answer)
	if err != nil {
		return nil, "", err
	}
	return keep(answer.Repositories, IsRepository), next, nil
}

// Tags lists one page of a repository's tags, as Catalog does.
func (c *Client) Tags(ctx context.Context, repo, after string, n int) (page []string, next string, err error) {
	t := target{op: "list tags", repo: repo}
	if !IsRepository(repo) {
		return nil, "", c.wrap(t, fmt.Errorf("%w: not a repository", ErrInvalid))
	}
	var answer struct {
		Tags []string `json:"tags"`
	}
	next, err = c.list(ctx, t, path(repo, "tags", "list"), after, n, &answer)
	if err != nil {
		return nil, "", err
	}
	return keep(answer.Tags, IsTag), next, nil
}

func (c *Client) list(ctx context.Context, t target, path, after string, n int, answer any) (string, error) {
	if n <= 0 {
		n = defaultPage
	}
	query := after
	if query == "" {
		query = url.Values{"n": {strconv.Itoa(min(n, largestPage))}}.Encode()
	} else if err := checkCursor(query); err != nil {
		return "", c.wrap(t, err)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, t, path, query, http.Header{"Accept": {"application/json"}})
	if err != nil {
		return "", err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		return "", c.refused(t, resp)
	}
	raw, err := readAll(resp.Body, resp.ContentLength, maxPage)
	if err != nil {
		return "", c.broken(ctx, t, err)
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return "", c.wrap(t, fmt.Errorf("%w: the list is not JSON: %w", ErrInvalid, err))
	}
	next, err := nextCursor(resp.Header.Values("Link"), path)
	if err != nil {
		return "", c.wrap(t, err)
	}
	if next != "" && next == after {
		return "", c.wrap(t, fmt.Errorf("%w: the list leads to itself", ErrInvalid))
	}
	return next, nil
}

// keep drops names that cannot be asked for: they could only break requests.
func keep(names []string, ok func(string) bool) []string {
	kept := make([]string, 0, len(names))
	for _, s := range names {
		if ok(s) {
			kept = append(kept, s)
		}
	}
	return kept
}
