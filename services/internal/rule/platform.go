package rule

import (
	"fmt"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// platform is os[/architecture[/variant]]; a blank part covers all.
type platform struct{ os, arch, variant string }

func parsePlatform(s string) (platform, error) {
	if err := config.CheckPlatform(s); err != nil {
		return platform{}, fmt.Errorf("platform %q: %w", s, err)
	}
	parts := append(strings.Split(s, "/"), "", "")
	return platform{os: parts[0], arch: parts[1], variant: variantOf(parts[1], parts[2])}, nil
}

func (p platform) match(os, arch, variant string) bool {
	return p.os == os &&
		(p.arch == "" || p.arch == arch) &&
		(p.variant == "" || p.variant == variantOf(arch, variant))
}

// variantOf fills in the one variant that builders leave out: arm64 is v8.
func variantOf(arch, variant string) string {
	if arch == "arm64" && variant == "v8" {
		return ""
	}
	return variant
}
