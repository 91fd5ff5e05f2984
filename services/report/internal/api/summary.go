package api

import (
	"context"
	"net/http"
	"time"

	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// summaryJSON is a registry in numbers.
type summaryJSON struct {
	Registry string       `json:"registry"`
	Images   int64        `json:"images"`
	Coverage coverageJSON `json:"coverage"`
	// Rebuilding says that the view is being built: the numbers may be low.
	Rebuilding bool `json:"rebuilding,omitempty"`
}

// coverageJSON tells how new images became known.
type coverageJSON struct {
	Announced int64 `json:"announced"`
	Found     int64 `json:"found"`
	// Share is null while nothing new was seen: none missed is not "all
	// announced".
	Share *float64  `json:"share"`
	Since time.Time `json:"since"`
}

func showCoverage(c view.Coverage) coverageJSON {
	out := coverageJSON{Announced: c.Announced, Found: c.Found, Since: c.Since.UTC().Truncate(time.Second)}
	if share, known := c.Share(); known {
		out.Share = &share
	}
	return out
}

func (a *API) summarizeRegistry(w http.ResponseWriter, r *http.Request) error {
	rec, err := registries(a).record(r)
	if err != nil {
		return err
	}
	var images int64
	var coverage view.Coverage
	whole, err := a.Keeper.Through(r.Context(), func(ctx context.Context) (err error) {
		images, coverage, err = a.View.Registry(ctx, rec.Key)
		return err
	})
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, summaryJSON{
		Registry: rec.Key, Images: images, Coverage: showCoverage(coverage), Rebuilding: !whole,
	})
}
