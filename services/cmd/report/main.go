// Command report runs the report service on its own; environment variables configure
// it.
package main

import (
	"os"

	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/report"
)

func main() { os.Exit(app.Main("report", app.Service(report.ConfigFromEnv, report.Run))) }
