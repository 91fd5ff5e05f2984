package pipeline

import (
	"context"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// answers returns once the API has answered one question, whatever the answer,
// or ctx has ended. The address is bound already, so that the question waits
// there until it is served.
func answers(ctx context.Context, url string) error {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // no proxy, and nothing left open
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	res, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped before the start was over
		}
		return fmt.Errorf("ask %s: %w", url, err)
	}
	return res.Body.Close()
}

// followDatabase tells of the advisory database in use.
func followDatabase(ctx context.Context, st *state.Store, audience Audience, log *zap.Logger) error {
	var last *state.Database
	return app.Follow(ctx, st.Databases, log, func(all map[string]state.Database) {
		db := all[state.CurrentDatabase]
		if last == nil || last.Version != db.Version {
			last = &db
			audience.Database(db)
		}
	})
}
