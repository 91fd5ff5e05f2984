package ingest

import (
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/app"
)

func environment(vars map[string]string) app.Env {
	return app.Env{Log: zap.NewNop(), Getenv: func(name string) string { return vars[name] }}
}

func TestConfigFromEnv(t *testing.T) {
	cfg, err := ConfigFromEnv(environment(map[string]string{
		"LANDWAITER_NATS": "nats://nats:4222", "LANDWAITER_INGEST": "0.0.0.0:8081", "LANDWAITER_ADMIN": ":9090",
		"LANDWAITER_WEBHOOK_KEY": strings.Repeat("k", 32), "LANDWAITER_SECRETS": "/secrets", "LANDWAITER_CONFIG": "/etc/lw.yaml",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Bus.URL != "nats://nats:4222" || cfg.Listen != "0.0.0.0:8081" || cfg.Admin != ":9090" || cfg.File != "/etc/lw.yaml" ||
		cfg.Secrets.Key.IsZero() || cfg.Secrets.Dir != "/secrets" {
		t.Errorf("configuration %+v", cfg)
	}
	if cfg, err = ConfigFromEnv(environment(nil)); err != nil || cfg.Listen != "127.0.0.1:8081" {
		t.Errorf("without any variable: %+v, %v", cfg, err)
	}
	_, err = ConfigFromEnv(environment(map[string]string{"LANDWAITER_WEBHOOK_KEY": "short", "LANDWAITER_INGEST": "8081"}))
	for _, want := range []string{"LANDWAITER_WEBHOOK_KEY", "LANDWAITER_INGEST"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}
