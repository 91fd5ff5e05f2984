package landwaiter

import (
	"fmt"

	"github.com/landwaiter/landwaiter/services/landwaiter/internal/terminal"
	"github.com/landwaiter/landwaiter/services/worker"
)

// showProgress shows how far an image's layers have been read, and nothing
// once they have been.
func showProgress(line *terminal.Line, p worker.Progress) {
	if p.Layers == p.Of {
		line.Clear()
		return
	}
	const digits = 19 // sha256: and twelve digits
	image := string(p.Image)
	line.Show(fmt.Sprintf("reading %s  %s of %s, %d of %d layers",
		image[:min(len(image), digits)], megabytes(p.Read), megabytes(p.Total), p.Layers, p.Of))
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
