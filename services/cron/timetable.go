package cron

import (
	"errors"
	"sync"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// timetable is the rules' schedules as they stand now.
type timetable struct {
	changed chan struct{} // holds one word after a change

	mu       sync.Mutex
	all      map[string]state.Managed[config.Rule] // nil until known
	defaults *config.Defaults                      // nil until known
}

func (t *timetable) setRules(all map[string]state.Managed[config.Rule]) {
	t.mu.Lock()
	t.all = all
	t.mu.Unlock()
	t.wake()
}

func (t *timetable) setDefaults(all map[string]config.Defaults) {
	d := all[state.DefaultsKey]
	t.mu.Lock()
	t.defaults = &d
	t.mu.Unlock()
	t.wake()
}

func (t *timetable) wake() {
	select {
	case t.changed <- struct{}{}:
	default: // there is a word already
	}
}

// rules gives each rule with its schedule filled in; known is false while part
// of the configuration is unknown.
func (t *timetable) rules() (rules []config.Rule, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil || t.defaults == nil {
		return nil, false
	}
	rules = make([]config.Rule, 0, len(t.all))
	for _, m := range t.all {
		// The registry has no say in a schedule.
		rules = append(rules, t.defaults.Effective(m.Value, config.Registry{}))
	}
	return rules, true
}

func (t *timetable) ready() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil || t.defaults == nil {
		return errors.New("waiting for the configuration")
	}
	return nil
}
