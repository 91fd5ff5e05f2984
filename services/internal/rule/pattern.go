package rule

import (
	"fmt"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Pattern is one compiled pattern: exact text in which every "*" stands for
// any run of characters, slashes included. The pattern ".*" as a whole means
// the same as "*"; anywhere else a dot is a dot.
type Pattern struct {
	parts []string // what stands between the stars
}

// ParsePattern compiles a pattern of at most 512 characters.
func ParsePattern(s string) (Pattern, error) {
	if err := config.CheckPattern(s); err != nil {
		return Pattern{}, fmt.Errorf("pattern %q: %w", s, err)
	}
	if s == ".*" {
		s = "*"
	}
	return Pattern{parts: strings.Split(s, "*")}, nil
}

// Match reports whether the whole of s fits the pattern.
func (p Pattern) Match(s string) bool {
	if len(p.parts) == 0 {
		return false
	}
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	if len(p.parts) == 1 {
		return s == first
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range p.parts[1 : len(p.parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

type patterns []Pattern

func parsePatterns(list []string) (patterns, error) {
	ps := make(patterns, 0, len(list))
	for _, s := range list {
		p, err := ParsePattern(s)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func (ps patterns) match(s string) bool {
	for _, p := range ps {
		if p.Match(s) {
			return true
		}
	}
	return false
}
