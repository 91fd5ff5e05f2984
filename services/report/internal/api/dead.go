package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/dead"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

// deadJSON is a dead letter as the API lists it.
type deadJSON struct {
	ID         string            `json:"id"`
	Stream     events.StreamName `json:"stream"`
	Subject    string            `json:"subject,omitempty"`
	Reason     string            `json:"reason"`
	Consumer   string            `json:"consumer,omitempty"`
	Time       time.Time         `json:"time"`
	Registry   string            `json:"registry,omitempty"`
	Size       int               `json:"size"` // bytes
	Replayable bool              `json:"replayable"`
}

// deadDetailJSON is a dead letter with what it holds.
type deadDetailJSON struct {
	deadJSON

	Headers    map[string][]string `json:"headers"`
	Data       json.RawMessage     `json:"data,omitempty"`
	DataBase64 []byte              `json:"dataBase64,omitempty"` // where it is no JSON, or cut
	Truncated  bool                `json:"truncated,omitempty"`
}

type deadPage struct {
	Letters    []deadJSON `json:"letters"`
	NextCursor string     `json:"nextCursor,omitempty"`
}

// mostShown bounds the data of a letter that is shown, in bytes.
const mostShown = 1 << 20

func (a *API) letters() dead.Letters { return dead.New(a.Bus) }

func showLetter(l dead.Letter) deadJSON {
	return deadJSON{
		ID: l.ID(), Stream: l.Stream, Subject: l.Subject, Reason: l.Reason, Consumer: l.Consumer,
		Time: l.At.UTC(), Registry: l.Registry(), Size: l.Size, Replayable: l.Replayable(),
	}
}

func (a *API) listDead(w http.ResponseWriter, r *http.Request) error {
	q, err := deadQueryOf(r.URL.Query())
	if err != nil {
		return problem.New(http.StatusBadRequest, err.Error(), "")
	}
	list, next, err := a.letters().Newest(r.Context(), q.filter, q.before, q.limit)
	if err != nil {
		return err
	}
	page := deadPage{Letters: make([]deadJSON, 0, len(list))}
	for _, l := range list {
		page.Letters = append(page.Letters, showLetter(l))
	}
	if next > 0 {
		page.NextCursor = strconv.FormatUint(next, 10)
	}
	return write(w, http.StatusOK, page)
}

// deadQuery is what a list of dead letters asks for.
type deadQuery struct {
	filter dead.Filter
	before uint64 // sequence; 0: from the newest
	limit  int
}

// deadQueryOf reads the filters of a list of dead letters.
func deadQueryOf(values url.Values) (deadQuery, error) {
	q := deadQuery{limit: defaultLimit}
	err := eachFilter(values, func(name, value string) (err error) {
		switch name {
		case "stream":
			q.filter.Stream = events.StreamName(value)
		case "contains":
			q.filter.Contains = value
		case "cursor":
			if q.before, err = strconv.ParseUint(value, 10, 64); err != nil {
				return noCursor(value)
			}
		case "limit":
			q.limit, err = limitOf(value)
		default:
			return noFilter(name)
		}
		return err
	})
	if err != nil {
		return q, err
	}
	return q, checkDeadFilter(q.filter)
}

func checkDeadFilter(f dead.Filter) error {
	if len(f.Stream) > maxFilter || strings.Trim(string(f.Stream), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return fmt.Errorf("stream %.40q is none: they are called REGISTRY, SCANS and so on", f.Stream)
	}
	if len(f.Contains) > maxFilter {
		return fmt.Errorf("filter contains is longer than %d characters", maxFilter)
	}
	return nil
}

func (a *API) getDead(w http.ResponseWriter, r *http.Request) error {
	l, err := a.letter(r)
	if err != nil {
		return err
	}
	out := deadDetailJSON{deadJSON: showLetter(l), Headers: showHeaders(l.Header)}
	data, whole := l.Read(mostShown)
	if whole && utf8.Valid(data) && json.Valid(data) {
		out.Data = data
	} else {
		out.DataBase64, out.Truncated = data, !whole
	}
	return write(w, http.StatusOK, out)
}

// letter reads the letter that the path names.
func (a *API) letter(r *http.Request) (dead.Letter, error) {
	id := r.PathValue("id")
	sequence, err := strconv.ParseUint(id, 10, 64)
	if err != nil || sequence == 0 {
		return dead.Letter{}, noLetter(id)
	}
	l, err := a.letters().Get(r.Context(), sequence)
	if errors.Is(err, dead.ErrNotFound) {
		return l, noLetter(id)
	}
	return l, err
}

func noLetter(id string) error {
	return problem.New(http.StatusNotFound, fmt.Sprintf("no dead letter %.40q is known", id),
		"GET /api/v1/dead lists them; one that was replayed is gone, and so is one that is older than 30 days")
}

// showHeaders leaves out the broker's own, and the values of what may prove who
// somebody is: messages of strangers are dead letters, too.
func showHeaders(all map[string][]string) map[string][]string {
	out := map[string][]string{}
	for name, values := range all {
		switch {
		case strings.HasPrefix(name, "Nats-"):
		case dead.Proves(name):
			out[name] = []string{"(not shown)"}
		default:
			out[name] = values
		}
	}
	return out
}
