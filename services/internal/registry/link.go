package registry

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// nextCursor finds the next page in Link headers. Only the query of the link
// is kept: its host is often a name from behind a proxy, and must not decide
// where credentials go.
func nextCursor(headers []string, path string) (string, error) {
	for _, h := range headers {
		for len(h) > 0 {
			var link, params string
			link, params, h = cutLink(h)
			if !isNext(params) {
				continue
			}
			u, err := url.Parse(link)
			if err != nil || len(link) > maxCursor {
				return "", fmt.Errorf("%w: Link header is not a URL", ErrInvalid)
			}
			// Behind a proxy the path may have gained a prefix.
			if u.Path != "" && lastElement(u.Path) != lastElement(path) {
				return "", fmt.Errorf("%w: Link header leads to another list", ErrInvalid)
			}
			if u.RawQuery == "" {
				if !hasRel(params) { // it may be about anything
					continue
				}
				return "", fmt.Errorf("%w: Link header leads nowhere", ErrInvalid)
			}
			return u.RawQuery, checkCursor(u.RawQuery)
		}
	}
	return "", nil
}

func lastElement(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// cutLink takes the first link off a header: what stands between < and >, its
// parameters, and the rest.
func cutLink(h string) (link, params, rest string) {
	_, h, ok := strings.Cut(h, "<")
	if !ok {
		return "", "", ""
	}
	link, h, _ = strings.Cut(h, ">")
	params, rest, ok = strings.Cut(h, ",")
	for ok && strings.Count(params, `"`)%2 == 1 { // the comma stood inside quotes
		var more string
		more, rest, ok = strings.Cut(rest, ",")
		params += "," + more
	}
	return strings.TrimSpace(link), params, rest
}

// isNext reports whether a link is of the next page. Some registries leave rel
// out, and mean that: taken for nothing, a first page would pass for all.
func isNext(params string) bool {
	rels, given := relations(params)
	return !given || slices.ContainsFunc(rels, func(rel string) bool { return strings.EqualFold(rel, "next") })
}

func hasRel(params string) bool {
	_, given := relations(params)
	return given
}

func relations(params string) (rels []string, given bool) {
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(key), "rel") {
			return strings.Fields(strings.Trim(strings.TrimSpace(value), `"'`)), true
		}
	}
	return nil, false
}

// goesOn reports whether there is a next page, wherever it is.
func goesOn(headers []string) bool {
	for _, h := range headers {
		for len(h) > 0 {
			var params string
			_, params, h = cutLink(h)
			if hasRel(params) && isNext(params) {
				return true
			}
		}
	}
	return false
}

// checkCursor keeps a cursor to what may stand in a query.
func checkCursor(query string) error {
	if len(query) > maxCursor {
		return fmt.Errorf("%w: page cursor of %d bytes", ErrInvalid, len(query))
	}
	for _, b := range []byte(query) {
		if b <= ' ' || b >= 0x7f || b == '#' {
			return fmt.Errorf("%w: page cursor with byte %#x", ErrInvalid, b)
		}
	}
	return nil
}
