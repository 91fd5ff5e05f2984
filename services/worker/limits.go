package worker

import (
	"fmt"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/worker/internal/extract"
	"github.com/landwaiter/landwaiter/services/worker/internal/layer"
)

// Limits bound what reading one layer may cost; the zero value stands for the
// default ones. Workers of one installation should have the same: a layer is
// read once for all that do.
type Limits = layer.Limits

// LimitsFromEnv reads the environment variables of the limits. All that is
// wrong with them is in the error.
func LimitsFromEnv(env app.Env) (Limits, error) {
	v := app.Read(env)
	l, err := limits(v)
	if wrong := v.Err(); wrong != nil {
		return Limits{}, wrong
	}
	return l, err
}

// limits reads them. The error is about those that do not go together.
//
// The upper bounds are where an inventory would not fit what is stored any
// more, or a number would overflow; below, where nothing real could be read.
func limits(v *app.Variables) (Limits, error) {
	const most = 1 << 50
	count := func(name string, value *int, least, most int64) {
		*value = int(v.Number(name, int64(*value), least, most))
	}
	size := func(name string, value *int64, least, most int64) { *value = v.Size(name, *value, least, most) }
	span := func(name string, value *time.Duration) { *value = v.Span(name, *value, time.Second, 24*time.Hour) }
	l := layer.DefaultLimits()
	usual := l
	size(layer.SettingCompressed, &l.Compressed, 1<<10, most)
	size(layer.SettingUncompressed, &l.Uncompressed, 1<<10, most)
	l.Ratio = v.Number(layer.SettingRatio, l.Ratio, 2, 1<<20)
	size(layer.SettingRatioFrom, &l.RatioFrom, 0, most)
	count(layer.SettingEntries, &l.Entries, 1, 16_000_000)
	count(layer.SettingPathLength, &l.PathLength, 16, 1<<20)
	size(layer.SettingFile, &l.File, 64<<10, 64<<30)
	size(layer.SettingBuffered, &l.Buffered, 64<<10, 64<<30)
	size(layer.SettingPaths, &l.Names, 0, 64<<20)
	count(layer.SettingPackages, &l.Packages, 1, 400_000)
	count(layer.SettingHashed, &l.Hashed, 0, 400_000)
	span(layer.SettingTime, &l.Time)
	count(extract.SettingNested, &l.Archives.Nested, 1, 16)
	size(extract.SettingOpened, &l.Archives.Opened, 0, 64<<30)
	size(extract.SettingHeld, &l.Archives.Held, 0, 64<<30)
	span(extract.SettingTime, &l.Archives.Time)
	if l.File > l.Buffered && l.File != usual.File {
		return l, fmt.Errorf("%s: %s is more than %s allows of all files together (%s)",
			layer.SettingFile, config.Size(l.File), layer.SettingBuffered, config.Size(l.Buffered))
	}
	return l, nil
}
