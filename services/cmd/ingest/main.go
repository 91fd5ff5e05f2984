// Command ingest runs the ingest service on its own; environment variables configure
// it.
package main

import (
	"os"

	"github.com/landwaiter/landwaiter/services/ingest"
	"github.com/landwaiter/landwaiter/services/internal/app"
)

func main() { os.Exit(app.Main("ingest", app.Service(ingest.ConfigFromEnv, ingest.Run))) }
