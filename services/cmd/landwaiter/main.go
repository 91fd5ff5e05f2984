// Command landwaiter is what users run: it starts everything in one process,
// and asks what runs.
package main

import (
	"os"

	"github.com/landwaiter/landwaiter/services/landwaiter"
)

func main() { os.Exit(landwaiter.Main()) }
