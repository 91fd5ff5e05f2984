package ingest

import (
	"log" //nolint:depguard // net/http takes no other kind of logger

	"go.uber.org/zap"
)

// standardLog is where net/http complains: about peers, seldom about us.
func standardLog(l *zap.Logger) *log.Logger {
	std, err := zap.NewStdLogAt(l.Named("http"), zap.WarnLevel)
	if err != nil { // only for an unknown level
		return nil
	}
	return std
}
