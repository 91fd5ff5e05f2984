// Package pipeline runs all services in one process, over an embedded broker
// and an embedded report store where no others are named.
package pipeline

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/landwaiter/landwaiter/services/cron"
	"github.com/landwaiter/landwaiter/services/ingest"
	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/hook"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/datafolder"
	"github.com/landwaiter/landwaiter/services/report"
	"github.com/landwaiter/landwaiter/services/worker"
)

// The addresses where nobody says otherwise.
const (
	defaultHTTP   = "127.0.0.1:8080"
	defaultIngest = "127.0.0.1:8081"
)

// Config is everything the pipeline is told.
type Config struct {
	// File is the configuration file; blank: the state has what is needed.
	File string
	// HTTP and Hooks are the addresses of API and console, and of the webhooks.
	HTTP, Hooks string
	// Admin is the address of /livez, /readyz and /metrics; blank: none.
	Admin string
	// Embedded says that no broker was named.
	Embedded bool

	// public is the address registries reach the webhooks at; blank: where they
	// are listened for.
	public string
	folder *datafolder.Folder
	bus    bus.Options
	ingest ingest.Config
	cron   cron.Config
	worker worker.Config
	report report.Config
}

// Read reads the same environment variables as the services do one by one, and
// keeps in the folder what they would keep elsewhere. sample stands in for the
// public advisories while they are out of reach. All that is wrong is in the
// error, each thing once.
func Read(env app.Env, folder *datafolder.Folder, sample fs.FS) (Config, error) {
	// A report store of its own keeps its socket there while it runs.
	if err := folder.Clear("redis-*"); err != nil {
		return Config{}, err
	}
	v := app.Read(env)
	c := Config{
		File:     v.String("LANDWAITER_CONFIG", ""),
		HTTP:     v.Addr("LANDWAITER_HTTP", defaultHTTP),
		Hooks:    v.Addr("LANDWAITER_INGEST", defaultIngest),
		Admin:    v.Addr("LANDWAITER_ADMIN", ""),
		Embedded: v.String("LANDWAITER_NATS", "") == "",
		public:   v.String("LANDWAITER_PUBLIC_INGEST", ""),
		folder:   folder,
		bus:      v.Bus("up"),
	}
	c.report = report.Config{
		Bus:        v.Bus("report"),
		Store:      report.StoreOptions{URL: v.String("LANDWAITER_REDIS", ""), DataDir: folder.Path()},
		Hosts:      v.List("LANDWAITER_HOSTS"),
		AdminToken: v.Secret("LANDWAITER_ADMIN_TOKEN").Reveal(),
	}
	one := single(env, folder)
	errs := []error{v.Err()}
	var err error
	if c.ingest, err = ingest.ConfigFromEnv(one); err != nil {
		errs = append(errs, err)
	}
	if c.cron, err = cron.ConfigFromEnv(one); err != nil {
		errs = append(errs, err)
	}
	if c.worker, err = worker.ConfigFromEnv(one); err != nil {
		errs = append(errs, err)
	}
	// The pipeline loads the file before it starts them; only the worker needs
	// it too, for the credentials.
	c.ingest.File, c.cron.File = "", ""
	c.worker.Dir, c.worker.SampleAdvisories = folder.Path("worker"), sample
	return c, distinct(errs)
}

// single is the environment of a service inside this process: it keeps its
// things in the folder and has no admin address of its own. That a variable is
// unknown to it says nothing: another service may know it.
func single(env app.Env, folder *datafolder.Folder) app.Env {
	getenv := env.Getenv
	env.Environ = nil
	env.Getenv = func(name string) string {
		switch name {
		case "LANDWAITER_ADMIN":
			return ""
		case "LANDWAITER_DATA":
			return folder.Path()
		default:
			return getenv(name)
		}
	}
	return env
}

// webhookURL gives registries the address of their webhooks.
func webhookURL(public string, secrets hook.Secrets) func(config.Registry) (string, error) {
	return func(r config.Registry) (string, error) {
		secret, err := secrets.Of(r)
		if err != nil {
			return "", err
		}
		return hook.URL(public, r.Name, secret)
	}
}

// distinct says each thing once that several services complained about.
func distinct(errs []error) error {
	var out []error
	said := map[string]bool{}
	for _, err := range errs {
		if err == nil {
			continue
		}
		for line := range strings.Lines(err.Error()) {
			line = strings.TrimSpace(line)
			if line != "" && !said[line] {
				said[line] = true
				out = append(out, errors.New(line))
			}
		}
	}
	return errors.Join(out...)
}
