package merge

import (
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// release is what an os-release file says: see os-release(5).
type release map[string]string

func isRelease(path string) bool { return path == "etc/os-release" || path == "usr/lib/os-release" }

// release returns the os-release file in effect.
func (s *state) release() release {
	content, ok := s.releases["etc/os-release"]
	if !ok {
		content = s.releases["usr/lib/os-release"]
	}
	return parseRelease(content)
}

// parseRelease reads assignments as a shell would, without what shells
// substitute. Lines that are none are skipped; of a repeated key the last
// counts.
func parseRelease(content string) release {
	r := release{}
	for line := range strings.Lines(content) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || key == "" || strings.HasPrefix(key, "#") {
			continue
		}
		r[key] = unquote(value)
	}
	return r
}

func unquote(value string) string {
	if len(value) < 2 || (value[0] != '"' && value[0] != '\'') || value[len(value)-1] != value[0] {
		return value
	}
	inner := value[1 : len(value)-1]
	if value[0] == '\'' {
		return inner
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\$`, `$`, "\\`", "`").Replace(inner)
}

func (r release) id() string      { return strings.ToLower(r["ID"]) }
func (r release) version() string { return r["VERSION_ID"] }

func (r release) os() verdict.OS {
	name := r["PRETTY_NAME"]
	if name == "" {
		name = r["NAME"]
	}
	return verdict.OS{ID: r.id(), Version: r.version(), Name: name}
}
