package app

import (
	"fmt"
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Logger writes JSON lines to w, from level on: debug, info, warn or error;
// blank: info. It writes each line at once, so nothing is lost at the end.
func Logger(name, level string, w io.Writer) (*zap.Logger, error) {
	least := zapcore.InfoLevel
	if level != "" {
		var err error
		if least, err = zapcore.ParseLevel(level); err != nil {
			return nil, fmt.Errorf("LANDWAITER_LOG_LEVEL: %w", err)
		}
	}
	enc := zap.NewProductionEncoderConfig()
	enc.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	enc.EncodeDuration = zapcore.StringDurationEncoder
	core := zapcore.NewCore(zapcore.NewJSONEncoder(enc), zapcore.Lock(zapcore.AddSync(w)), least)
	return zap.New(core, zap.AddCaller()).Named(name), nil
}
