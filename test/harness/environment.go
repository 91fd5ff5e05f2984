package harness

import (
	"slices"
	"strings"
)

// foreign is an environment without the project's own variables: what a
// developer has set must not change what a test starts.
func foreign(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool { return strings.HasPrefix(kv, "LANDWAITER_") })
}
