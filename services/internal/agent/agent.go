// Package agent is the name this program gives itself in the requests it
// sends, and by which it knows its own requests again when a registry tells
// of them.
package agent

import (
	"runtime/debug"
	"strings"
)

// Product is the name before the slash of the User-Agent.
const Product = "landwaiter"

// UserAgent is the User-Agent of every request to a registry: the product and
// the version of this build, "dev" where the build has none.
func UserAgent() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return name("")
	}
	return name(info.Main.Version)
}

// name leaves out what is no version: parentheses would begin a comment.
func name(version string) string {
	if version == "" || strings.ContainsAny(version, "() ") {
		version = "dev"
	}
	return Product + "/" + version
}

// IsOwn reports whether a User-Agent is that of this program, in any version.
func IsOwn(userAgent string) bool { return strings.HasPrefix(userAgent, Product+"/") }
