package landwaiter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/limit"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/datafolder"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/terminal"
	"github.com/landwaiter/landwaiter/services/landwaiter/sample"
	"github.com/landwaiter/landwaiter/services/worker"
)

// here scans in this process.
func (s *scanning) here(ctx context.Context) error {
	if err := s.checkLocal(); err != nil {
		return err
	}
	login, err := dockerConfig(s.env.Getenv)
	if err != nil {
		return err
	}
	limits, err := worker.LimitsFromEnv(app.Env{Getenv: s.env.Getenv})
	if err != nil {
		return err
	}
	data := first(s.data, s.env.Getenv("LANDWAITER_DATA"), datafolder.Default(s.env.Getenv))
	cache := filepath.Join(data, "local")
	if data == "" {
		cache = filepath.Join(os.TempDir(), "landwaiter-local")
	}
	o := worker.LocalOptions{
		Fingerprints: s.env.Getenv("LANDWAITER_FINGERPRINTS"), Limits: limits,
		Source: s.ref, Advisories: first(s.advisories, s.env.Getenv("LANDWAITER_ADVISORIES_SOURCE")),
		Databases: filepath.Join(data, "worker"), Cache: cache, SampleAdvisories: sample.Files(), DockerConfig: login,
		Notice: func(text string) { s.env.warn("%s", text) },
	}
	if len(s.platforms) == 1 {
		o.Platform = s.platforms[0]
	}
	if s.env.Terminal && s.output == asTable {
		var mu sync.Mutex
		line := terminal.NewLine(s.env.Stdout)
		o.Progress = func(p worker.Progress) {
			mu.Lock()
			defer mu.Unlock()
			showProgress(line, p)
		}
		defer line.Clear()
	}
	report, err := worker.ScanLocal(ctx, o)
	if err != nil {
		return err
	}
	reports := []verdict.Report{report}
	if err := writeReports(s.env.Stdout, s.output, reports); err != nil {
		return err
	}
	return gate(s.env, s.threshold, reports)
}

func (s *scanning) checkLocal() error {
	switch {
	case len(s.platforms) > 1:
		return errors.New("--local scans one image: name one --platform")
	case s.force || s.refetch:
		return errors.New("--local remembers no layers: --force and --refetch have no meaning there")
	}
	return nil
}

// dockerConfig is what docker login wrote; blank: nothing.
func dockerConfig(getenv func(string) string) (string, error) {
	const most = 1 << 20
	dir := getenv("DOCKER_CONFIG")
	if dir == "" {
		home := getenv("HOME")
		if home == "" {
			return "", nil
		}
		dir = filepath.Join(home, ".docker")
	}
	raw, err := limit.ReadFile(filepath.Join(dir, "config.json"), most)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("docker's configuration: %w", err)
	}
	return string(raw), nil
}
