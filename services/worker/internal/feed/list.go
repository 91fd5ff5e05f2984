package feed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// modified is a line of a list of modifications.
type modified struct {
	at time.Time
	id string
}

// readList reads an ecosystem's modified_id.csv: time and id on each line,
// newest first. Lines that make no sense are left out.
func readList(path string) (list []modified, err error) {
	file, err := os.Open(path) //nolint:gosec // a file of this package's folder
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return parseList(file)
}

func parseList(r io.Reader) ([]modified, error) {
	list := []modified{}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), 64<<10)
	for lines.Scan() {
		at, id, _ := strings.Cut(strings.TrimSpace(lines.Text()), ",")
		t, err := time.Parse(time.RFC3339Nano, at)
		if err == nil && usableID(id) {
			list = append(list, modified{t, id})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	// As it should be already; who goes by it relies on it.
	slices.SortStableFunc(list, func(a, b modified) int { return b.at.Compare(a.at) })
	return list, nil
}

// usableID tells whether an id can be part of a URL and of a file's name.
func usableID(id string) bool {
	return id != "" && len(id) <= 128 && id[0] != '.' &&
		!strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' || r == '\\' })
}

// small fetches what is held in memory.
func (m mirror) small(ctx context.Context, url string, most int64) (raw []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := m.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		return nil, &statusError{res.StatusCode, res.Status}
	}
	raw, err = io.ReadAll(io.LimitReader(res.Body, most+1))
	if err == nil && int64(len(raw)) > most {
		err = fmt.Errorf("%w: more than %d bytes", errTooLarge, most)
	}
	return raw, err
}
