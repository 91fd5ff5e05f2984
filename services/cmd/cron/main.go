// Command cron runs the cron service on its own; environment variables configure
// it.
package main

import (
	"os"

	"github.com/landwaiter/landwaiter/services/cron"
	"github.com/landwaiter/landwaiter/services/internal/app"
)

func main() { os.Exit(app.Main("cron", app.Service(cron.ConfigFromEnv, cron.Run))) }
