package test

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link        = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fenced      = regexp.MustCompile("(?s)```.*?```")
	environment = regexp.MustCompile(`"(LANDWAITER_[A-Z0-9_]+)"`)
	tableRow    = regexp.MustCompile("(?m)^\\| *`(LANDWAITER_[A-Z0-9_]+)`")
)

func TestLinksLeadSomewhere(t *testing.T) {
	walk(t, ".md", func(path string, content []byte) {
		for _, m := range link.FindAllSubmatch(fenced.ReplaceAll(content, nil), -1) {
			target, err := url.Parse(string(m[1]))
			if err != nil {
				t.Errorf("%s: link %s: %v", path, m[1], err)
				continue
			}
			if target.IsAbs() || target.Path == "" {
				continue
			}
			file := filepath.Join(top(t), filepath.Dir(path), filepath.FromSlash(target.Path))
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: link %s leads nowhere", path, m[1])
			}
		}
	})
}

// The README's table of environment variables and the services' source name the
// same variables.
func TestConfigurationTable(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(top(t), "README.md"))
	if err != nil {
		t.Fatalf("read README: %v", err)
	}
	documented := map[string]bool{}
	for _, m := range tableRow.FindAllSubmatch(readme, -1) {
		documented[string(m[1])] = true
	}
	read := map[string]string{}
	walk(t, ".go", func(path string, content []byte) {
		if !strings.HasPrefix(path, "services"+string(filepath.Separator)) || strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, m := range environment.FindAllSubmatch(content, -1) {
			read[string(m[1])] = path
		}
	})
	for _, name := range slices.Sorted(maps.Keys(read)) {
		if !documented[name] {
			t.Errorf("%s is read in %s and missing in README's table", name, read[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if read[name] == "" {
			t.Errorf("%s stands in README's table and no service reads it", name)
		}
	}
}
