// Command worker runs the worker service on its own; environment variables configure
// it.
package main

import (
	"os"

	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/worker"
)

func main() { os.Exit(app.Main("worker", app.Service(worker.ConfigFromEnv, worker.Run))) }
