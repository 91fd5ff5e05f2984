package worker

import "github.com/landwaiter/landwaiter/services/worker/internal/scan"

// Progress is how far the layers of one image have been read.
type Progress = scan.Progress
