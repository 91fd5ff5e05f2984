package client

import (
	"context"
	"net/url"
)

// pageSize is the largest page that the API gives.
const pageSize = "500"

// Pages asks for a list page by page. take is given each page and tells the
// cursor of the next; blank: it was the last.
func Pages[T any](ctx context.Context, c *Client, path string, query url.Values, take func(page T) (next string)) error {
	query.Set("limit", pageSize)
	for {
		var page T
		if _, err := c.Ask(ctx, Question{Path: path, Query: query}, &page); err != nil {
			return err
		}
		next := take(page)
		if next == "" || next == query.Get("cursor") {
			return nil
		}
		query.Set("cursor", next)
	}
}
