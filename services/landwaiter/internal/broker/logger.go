package broker

import "go.uber.org/zap"

// logger hands the server's words on. What it calls a notice is of no use
// unless something is looked for.
type logger struct{ log *zap.SugaredLogger }

func (l logger) Noticef(format string, v ...any) { l.log.Debugf(format, v...) }
func (l logger) Warnf(format string, v ...any)   { l.log.Warnf(format, v...) }
func (l logger) Fatalf(format string, v ...any)  { l.log.Errorf(format, v...) }
func (l logger) Errorf(format string, v ...any)  { l.log.Errorf(format, v...) }
func (l logger) Debugf(format string, v ...any)  { l.log.Debugf(format, v...) }
func (l logger) Tracef(format string, v ...any)  { l.log.Debugf(format, v...) }
