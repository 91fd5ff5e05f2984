package test

import (
	"slices"
	"strings"
	"testing"
)

// mayImport says for each part of the workspace which other parts its packages
// may import. A part that is not named here may not exist.
var mayImport = map[string][]string{
	"events":              {},
	"schemas":             {},
	"services/internal":   {"events", "schemas"},
	"services/ingest":     {"events", "schemas", "services/internal"},
	"services/cron":       {"events", "schemas", "services/internal"},
	"services/worker":     {"events", "schemas", "services/internal"},
	"services/report":     {"events", "schemas", "services/internal"},
	"services/landwaiter": {"events", "schemas", "services/internal", "services/ingest", "services/cron", "services/worker", "services/report"},
	"services/cmd":        {"services/internal", "services/ingest", "services/cron", "services/worker", "services/report", "services/landwaiter"},
	"test":                {"events", "schemas", "services/ingest", "services/cron", "services/worker", "services/report", "services/landwaiter"},
}

// onlyLinkedBy names the parts that may link a module; nobody else may, not
// even by way of another package. The scan engine's weight stays with those who
// scan, and Redis is the report service's own. Tests are not asked.
var onlyLinkedBy = map[string][]string{
	"github.com/google/osv-scalibr":     {"services/worker", "services/landwaiter"},
	"github.com/erikvarga/go-rpmdb":     {"services/worker", "services/landwaiter"},
	"github.com/knqyf263/go-rpmdb":      {"services/worker", "services/landwaiter"},
	"go.etcd.io/bbolt":                  {"services/worker", "services/landwaiter"},
	"github.com/pandatix/go-cvss":       {"services/worker", "services/landwaiter"},
	"github.com/redis/go-redis":         {"services/report", "services/landwaiter"},
	"github.com/alicebob/miniredis":     {"services/report", "services/landwaiter"},
	"github.com/nats-io/nats-server/v2": {"services/landwaiter"},
	// The registry client logs in at Amazon's; who asks no registry does not
	// link it.
	"github.com/aws": {"services/internal", "services/worker", "services/landwaiter"},
}

// part is the longest entry of mayImport that a path lies in, blank for none.
func part(path string) string {
	best := ""
	for p := range mayImport {
		if within(path, p) && len(p) > len(best) {
			best = p
		}
	}
	return best
}

func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func TestImportTable(t *testing.T) {
	for _, p := range list(t) {
		from := part(p.short())
		if from == "" {
			t.Errorf("%s is in no known part of the workspace", p.short())
			continue
		}
		for _, imported := range p.Imports {
			short, ours := strings.CutPrefix(imported, prefix)
			if !ours {
				continue
			}
			if to := part(short); to != from && !slices.Contains(mayImport[from], to) {
				t.Errorf("%s imports %s: %s may not import %s", p.short(), short, from, to)
			}
		}
	}
}

// A main is three lines: it starts the service of its name and nothing else.
func TestMainsStartTheirOwnService(t *testing.T) {
	for _, p := range list(t) {
		binary, ok := strings.CutPrefix(p.short(), "services/cmd/")
		if !ok {
			continue
		}
		for _, imported := range p.Imports {
			short, ours := strings.CutPrefix(imported, prefix)
			if ours && short != "services/"+binary && !within(short, "services/internal") {
				t.Errorf("%s imports %s", p.short(), short)
			}
		}
	}
}

// The event contract is for anybody to import: it brings the standard library
// and the CloudEvents SDK.
func TestEventsImportLittle(t *testing.T) {
	for _, p := range list(t) {
		if !within(p.short(), "events") {
			continue
		}
		for _, imported := range p.Imports {
			first, _, _ := strings.Cut(imported, "/")
			standard := !strings.Contains(first, ".")
			if !standard && !strings.HasPrefix(imported, prefix+"events") && !within(imported, "github.com/cloudevents/sdk-go/v2") {
				t.Errorf("%s imports %s", p.short(), imported)
			}
		}
	}
}

func TestLinkedModules(t *testing.T) {
	for _, p := range list(t) {
		from := part(p.short())
		if from == "test" || strings.HasSuffix(p.ImportPath, "test") { // natstest and its like
			continue
		}
		if binary, ok := strings.CutPrefix(p.short(), "services/cmd/"); ok {
			from = "services/" + binary
		}
		for module, owners := range onlyLinkedBy {
			links := slices.ContainsFunc(p.Deps, func(dependency string) bool { return within(dependency, module) })
			if links && !slices.Contains(owners, from) {
				t.Errorf("%s links %s, which only %v may", p.short(), module, owners)
			}
		}
	}
}
