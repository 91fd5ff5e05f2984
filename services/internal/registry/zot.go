package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
)

// zot lists tags with what they lead to, where its search is enabled; the rest
// of its lists are the plain ones. It tells no push dates: LastUpdated is the
// config's claim. https://zotregistry.dev/latest/articles/graphql/
type zot struct {
	api  *api
	none atomic.Bool // search is not enabled
}

func (z *zot) catalog(context.Context, scope, string, int) ([]string, string, error) {
	return nil, "", errPlain
}

func (z *zot) tags(ctx context.Context, repo, at string, n int) ([]Tag, string, error) {
	if z.none.Load() {
		return nil, "", errPlain
	}
	offset, err := strconv.ParseUint(at, 10, 31)
	if err != nil && at != "" {
		return nil, "", fmt.Errorf("%w: page cursor", ErrInvalid)
	}
	query := fmt.Sprintf(`{ImageList(repo:%q,requestedPage:{limit:%s,offset:%d,sortBy:ALPHABETIC_ASC}){Page{TotalCount ItemCount} Results{Tag Digest}}}`,
		repo, wish(n, largestPage), offset)
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return nil, "", err
	}
	var answer struct {
		Errors []json.RawMessage `json:"errors"`
		Data   struct {
			List struct {
				Page struct {
					Total uint64 `json:"TotalCount"`
					Count uint64 `json:"ItemCount"`
				} `json:"Page"`
				Results []struct {
					Tag    string `json:"Tag"`
					Digest string `json:"Digest"`
				} `json:"Results"`
			} `json:"ImageList"`
		} `json:"data"`
	}
	q := question{method: http.MethodPost, path: "/v2/_zot/ext/search", header: http.Header{"Content-Type": {"application/json"}}, body: body}
	_, err = z.api.call(ctx, target{op: "list tags", repo: repo}, q, &answer)
	switch list := answer.Data.List; {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrInvalid), errors.Is(err, ErrUnsupported):
		z.none.Store(true)
		return nil, "", errPlain
	case err != nil:
		return nil, "", err
	case len(answer.Errors) > 0, at == "" && len(list.Results) == 0: // it knows images only, and not who has none
		return nil, "", errPlain
	default:
		tags := make([]Tag, 0, len(list.Results))
		for _, r := range list.Results {
			tags = append(tags, Tag{Name: r.Tag, Digest: r.Digest})
		}
		next := ""
		if seen := offset + list.Page.Count; seen < list.Page.Total && list.Page.Count > 0 {
			next = strconv.FormatUint(seen, 10)
		}
		return tags, next, nil
	}
}
