package landwaiter

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/pipeline"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/terminal"
	"github.com/landwaiter/landwaiter/services/worker"
)

// greeter tells whoever started the pipeline what runs, and what to do next.
type greeter struct {
	program string
	folder  string
	set     map[string]string // flags given, by variable

	mu     sync.Mutex
	out    io.Writer
	line   *terminal.Line
	token  string
	served bool
	db     *state.Database // nil: not heard of yet
}

func newGreeter(env Env, set map[string]string, folder string) *greeter {
	return &greeter{
		program: env.Program, folder: folder, set: set, out: env.Stdout, line: terminal.NewLine(env.Stdout),
	}
}

// Token keeps the token for the greeting.
func (g *greeter) Token(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.token = token
}

// Serving prints the greeting.
func (g *greeter) Serving(s pipeline.Serving) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.served = true
	token, known := g.token, g.token != ""
	if !known {
		token = "TOKEN"
	}
	g.say("landwaiter is up; its data is in %s", g.folder)
	g.say("")
	g.say("  Console     %s", s.Console)
	g.say("  Webhooks    http://%s/hooks/...   (`%s webhook REGISTRY` prints a registry's)", s.Hooks, g.program)
	if known {
		g.say("  Admin token %s   (shown this once: only its hash is kept)", token)
	} else {
		g.say("  Admin token as printed at the first start, or as LANDWAITER_ADMIN_TOKEN says")
	}
	g.say("  Advisories  %s", g.database())
	ref := example(s.Document)
	g.say("")
	g.say("Try next, in another terminal:")
	g.say("")
	g.say("  %s scan --local%s %s", g.program, g.flag("data", "LANDWAITER_DATA"), ref)
	g.say("  LANDWAITER_TOKEN=%s %s scan%s --wait %s", token, g.program, server(s.Console), ref)
	g.say("")
}

// Database tells of an advisory database that came after the greeting.
func (g *greeter) Database(d state.Database) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.db = &d
	if g.served {
		g.say("  Advisories  %s", g.database())
	}
}

// progress shows how far an image's layers have been read.
func (g *greeter) progress(p worker.Progress) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.served {
		return
	}
	showProgress(g.line, p)
}

func (g *greeter) say(format string, args ...any) {
	g.line.Clear()
	_, _ = fmt.Fprintf(g.out, format+"\n", args...)
}

func (g *greeter) database() string {
	if g.db == nil || g.db.Version == "" {
		return "none yet: they are being brought in; until then reports say unknown"
	}
	s := fmt.Sprintf("%d records, the newest of %s (%s)", g.db.Records, g.db.UpdatedAt.UTC().Format("2006-01-02"), shortVersion(g.db.Version))
	if g.db.Sample {
		s = "only the small sample set that comes with landwaiter: most vulnerabilities are missing; " + s
	}
	return s
}

func shortVersion(v string) string {
	const most = 19 // sha256: and twelve digits
	return v[:min(len(v), most)]
}

// flag repeats a flag that was given.
func (g *greeter) flag(name, variable string) string {
	if v, given := g.set[variable]; given {
		return " --" + name + " " + v
	}
	return ""
}

// server is the flag that leads the client commands to a console that is not
// where they look by themselves.
func server(console string) string {
	if address := strings.TrimSuffix(console, "/"); address != defaultServer {
		return " --server " + address
	}
	return ""
}

// example is an image of the first rule that names a repository in full.
func example(d config.Document) string {
	for _, rule := range d.Rules {
		for _, r := range d.Registries {
			if r.Name != rule.Registry {
				continue
			}
			for _, repository := range rule.Repositories {
				if strings.ContainsAny(repository, "*?[]{}!,") {
					continue
				}
				return familiar(r.Host(), repository) + ":" + exampleTag(rule.Tags)
			}
		}
	}
	return "alpine:latest"
}

func exampleTag(tags []string) string {
	if len(tags) > 0 && !strings.ContainsAny(tags[0], "*?[]{}!,") {
		return tags[0]
	}
	return "latest"
}

// familiar is a repository as people write it.
func familiar(host, repository string) string {
	if host == config.HubHost {
		return strings.TrimPrefix(repository, "library/")
	}
	return host + "/" + repository
}
