// Command nats is nats-server built from the Go module, for the container
// image that stands in for the official one where no image can be pulled. It
// takes nats-server's own flags.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("nats", flag.ContinueOnError)
	usage := func() { flags.PrintDefaults() }
	version := func() { fmt.Println(server.VERSION) }
	options, err := server.ConfigureOptions(flags, args, version, usage, usage)
	if err != nil {
		return fmt.Errorf("read flags and configuration: %w", err)
	}
	if options == nil { // --version or --help
		return nil
	}
	srv, err := server.NewServer(options)
	if err != nil {
		return fmt.Errorf("make server: %w", err)
	}
	srv.ConfigureLogger()
	if err := server.Run(srv); err != nil {
		return fmt.Errorf("run server: %w", err)
	}
	srv.WaitForShutdown()
	return nil
}
