package landwaiter

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/datafolder"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/pipeline"
	"github.com/landwaiter/landwaiter/services/landwaiter/sample"
	"github.com/landwaiter/landwaiter/services/worker"
)

// memoryLimit makes the collector work harder before the process takes more
// than this, where GOMEMLIMIT does not say otherwise: two layers in flight
// stay below it.
const memoryLimit = 512 << 20

// flag is a flag that an environment variable stands for too.
type flag struct{ name, variable, usage string }

func upFlags() []flag {
	return []flag{
		{"config", "LANDWAITER_CONFIG", "configuration `FILE` with registries, credentials and rules"},
		{"data", "LANDWAITER_DATA", "`DIR` for everything that is kept (default $XDG_DATA_HOME/landwaiter or ~/.local/share/landwaiter)"},
		{"advisories", "LANDWAITER_ADVISORIES_SOURCE", "`DIR|URL|oci://REF` of advisories in OSV export layout (default: as the configuration says, else the public OSV export)"},
		{"redis", "LANDWAITER_REDIS", "`URL` of the report store (default: a redis-server from PATH, else one in this process)"},
		{"nats", "LANDWAITER_NATS", "`URL` of the broker (default: one in this process)"},
		{"http", "LANDWAITER_HTTP", "`ADDR` of the console and the API (default 127.0.0.1:8080)"},
		{"ingest", "LANDWAITER_INGEST", "`ADDR` of the webhooks (default 127.0.0.1:8081)"},
		{"public-ingest", "LANDWAITER_PUBLIC_INGEST", "`URL` under which registries reach the webhooks (default http://ADDR of --ingest)"},
		{"hosts", "LANDWAITER_HOSTS", "`NAMES` under which the console is asked for, beside this machine's"},
		{"secrets", "LANDWAITER_SECRETS", "`DIR` that {file: NAME} in the configuration is read from"},
		{"admin", "LANDWAITER_ADMIN", "`ADDR` of /livez, /readyz and /metrics (default: none)"},
	}
}

func upCommand(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "up", Short: "Start everything in this process", Args: cobra.NoArgs,
		Long: "up starts everything in this process: broker, report store and all services.\n" +
			"Nothing else needs to be installed. Every flag has an environment variable:",
	}
	values := map[string]*string{}
	for _, f := range upFlags() {
		values[f.variable] = cmd.Flags().String(f.name, "", f.usage)
		cmd.Long += fmt.Sprintf("\n  --%-14s %s", f.name, f.variable)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		set := map[string]string{}
		for _, f := range upFlags() {
			if cmd.Flags().Changed(f.name) {
				set[f.variable] = *values[f.variable]
			}
		}
		return up(cmd.Context(), env, set)
	}
	return cmd
}

// up runs the pipeline until ctx ends.
func up(ctx context.Context, env Env, set map[string]string) (err error) {
	log, err := upLogger(env)
	if err != nil {
		return err
	}
	outside := env.service(log, set)
	if outside.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	path := outside.Getenv("LANDWAITER_DATA")
	if path == "" {
		path = datafolder.Default(env.Getenv)
	}
	folder, err := datafolder.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	cfg, err := pipeline.Read(outside, folder, sample.Files())
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	g := newGreeter(env, set, folder.Path())
	var progress func(worker.Progress)
	if env.Terminal {
		progress = g.progress
	}
	return pipeline.Run(ctx, cfg, g, progress, log)
}

// upLogger says little where somebody watches: what went well is on the
// terminal already.
func upLogger(env Env) (*zap.Logger, error) {
	level := env.Getenv("LANDWAITER_LOG_LEVEL")
	if level == "" && env.Terminal {
		level = "warn"
	}
	return app.Logger("landwaiter", level, env.Stderr)
}
