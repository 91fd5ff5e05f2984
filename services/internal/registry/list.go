package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	maxPage     = 8 << 20
	defaultPage = 100
	largestPage = 1000 // what ECR accepts
	maxCursor   = 4 << 10
)

// plainCatalog lists one page of the registry's own catalog:
// https://distribution.github.io/distribution/spec/api/#catalog
func (c *Client) plainCatalog(ctx context.Context, after string, n int) ([]string, string, error) {
	var answer struct {
		Repositories []string `json:"repositories"`
	}
	next, err := c.list(ctx, target{op: "list repositories"}, path("_catalog"), after, n, &answer)
	return answer.Repositories, next, err
}

// plainTags lists one page of a repository's tags:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
// Google's registries add what they lead to:
// https://cloud.google.com/artifact-registry/docs/docker/manage-images#listing_tags
func (c *Client) plainTags(ctx context.Context, repo, after string, n int) ([]Tag, string, error) {
	var answer struct {
		Tags     []string `json:"tags"`
		Manifest map[string]struct {
			Tags     []string `json:"tag"`
			Uploaded string   `json:"timeUploadedMs"`
		} `json:"manifest"`
	}
	next, err := c.list(ctx, target{op: "list tags", repo: repo}, path(repo, "tags", "list"), after, n, &answer)
	if err != nil {
		return nil, "", err
	}
	known := map[string]Tag{}
	for digest, m := range answer.Manifest {
		for _, tag := range m.Tags {
			known[tag] = Tag{Name: tag, Digest: digest, Pushed: milliseconds(m.Uploaded)}
		}
	}
	tags := make([]Tag, 0, len(answer.Tags))
	for _, name := range answer.Tags {
		tag := known[name]
		tag.Name = name
		tags = append(tags, tag)
	}
	return tags, next, nil
}

// milliseconds reads a time since 1970; zero for none.
func milliseconds(s string) time.Time {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil || ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
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
