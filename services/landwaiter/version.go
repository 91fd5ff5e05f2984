package landwaiter

import (
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"
)

func versionCommand(env Env) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(env.Stdout, version())
			return err
		},
	}
}

// version is what the Go toolchain knows of this build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "landwaiter (unknown build)"
	}
	s := "landwaiter " + info.Main.Version
	if info.Main.Version == "" {
		s = "landwaiter (devel)"
	}
	is := func(setting debug.BuildSetting) bool { return setting.Key == "vcs.revision" }
	if i := slices.IndexFunc(info.Settings, is); i >= 0 {
		s += " " + info.Settings[i].Value
	}
	return s + " " + info.GoVersion
}
