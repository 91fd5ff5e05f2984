package report

import (
	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/hook"
)

// defaultIngest is where ingest listens unless it is told otherwise.
const defaultIngest = "http://127.0.0.1:8081"

// ConfigFromEnv reads the service's environment variables. All that is wrong
// with them is in the error.
func ConfigFromEnv(env app.Env) (Config, error) {
	v := app.Read(env)
	secrets, base := v.Webhooks(), v.String("LANDWAITER_PUBLIC_INGEST", defaultIngest)
	cfg := Config{
		Bus: v.Bus("report"),
		Store: StoreOptions{
			URL: v.String("LANDWAITER_REDIS", ""), DataDir: v.String("LANDWAITER_DATA", ""), Log: env.Log,
		},
		HTTP:       v.Addr("LANDWAITER_HTTP", defaultHTTP),
		Admin:      v.Addr("LANDWAITER_ADMIN", ""),
		Hosts:      v.List("LANDWAITER_HOSTS"),
		AdminToken: v.Secret("LANDWAITER_ADMIN_TOKEN").Reveal(),
		WebhookURL: func(r config.Registry) (string, error) {
			secret, err := secrets.Of(r)
			if err != nil {
				return "", err
			}
			return hook.URL(base, r.Name, secret)
		},
	}
	return cfg, v.Err()
}
