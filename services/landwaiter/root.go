package landwaiter

import (
	"errors"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/app"
)

func rootCommand(env Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "landwaiter",
		Short: "Examines container images as they land in registries, and goes on examining them",
		Long: "landwaiter examines container images as they land in registries, and goes on\n" +
			"examining them as new vulnerabilities become known.\n\n" +
			"`landwaiter up` starts everything in this process; `landwaiter scan --local REF`\n" +
			"scans one image without it. The other commands ask a pipeline that runs, at\n" +
			"--server, with the admin's token in LANDWAITER_TOKEN.",
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errors.New("there is no command " + args[0] + "; `landwaiter help` lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		upCommand(env), scanCommand(env), imagesCommand(env), reportCommand(env), watchCommand(env),
		applyCommand(env), getCommand(env), deleteCommand(env), registriesCommand(env), webhookCommand(env),
		sweepCommand(env), sweepsCommand(env), vulnerabilityCommand(env), deadCommand(env), advisoriesCommand(env), rebuildCommand(env),
		healthCommand(env), versionCommand(env),
	)
	return root
}

func healthCommand(env Env) *cobra.Command {
	return &cobra.Command{
		Use: "health", Short: "Ask the pipeline at LANDWAITER_ADMIN whether it is ready", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return app.Health(cmd.Context(), env.service(zap.NewNop(), nil))
		},
	}
}

// service is the environment as the services know it; set goes before the
// variables of the same names.
func (e Env) service(log *zap.Logger, set map[string]string) app.Env {
	return app.Env{
		Getenv: func(name string) string {
			if v, ok := set[name]; ok {
				return v
			}
			return e.Getenv(name)
		},
		Environ: e.Environ, Log: log, Args: e.Args, Stdout: e.Stdout,
	}
}
