package report

import (
	"context"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/report/internal/redisstore"
)

// StoreOptions says which store to open for the view.
type StoreOptions struct {
	// URL is redis://, rediss:// or unix://; empty: an embedded store.
	URL string
	// DataDir is where an embedded store keeps its socket. It must be private
	// to this user.
	DataDir string
	Log     *zap.Logger
}

// OpenStore opens the view's store: the Redis at URL; else a redis-server
// found on PATH, run as a child on a private socket; else one inside this
// process. description says in words which of them it is. close ends the
// client and, with it, an embedded store.
func OpenStore(ctx context.Context, o StoreOptions) (client *redis.Client, description string, closeStore func() error, err error) {
	s, err := redisstore.Open(ctx, redisstore.Options{URL: o.URL, DataDir: o.DataDir, Log: o.Log})
	if err != nil {
		return nil, "", nil, err
	}
	return s.Client, s.Description, s.Close, nil
}
