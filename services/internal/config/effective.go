package config

import "time"

// What holds where neither a rule nor the defaults say anything.
const (
	DefaultEveryDays = 1
	DefaultRetention = Duration(30 * 24 * time.Hour)
)

// Effective returns the rule with its schedule, retention and onPush filled
// in; reg is the rule's registry. The nearest word holds: for pushes that is
// the rule's, then the registry's, then the defaults', then yes.
func (d Defaults) Effective(r Rule, reg Registry) Rule {
	if r.Schedule.EveryDays == 0 {
		r.Schedule.EveryDays = d.EveryDays
		if r.Schedule.At != "" || d.EveryDays == 0 {
			r.Schedule.EveryDays = DefaultEveryDays // a time of day is only for daily rules
		}
	}
	if r.Retention == 0 {
		r.Retention = d.Retention
		if r.Retention == 0 {
			r.Retention = DefaultRetention
		}
	}
	onPush := d.PushesOf(reg)
	if r.OnPush != nil {
		onPush = *r.OnPush
	}
	r.OnPush = &onPush
	return r
}

// PushesOf reports whether pushes to a registry start scans where the rule
// does not say.
func (d Defaults) PushesOf(reg Registry) bool {
	switch {
	case reg.Webhook.Enabled != nil:
		return *reg.Webhook.Enabled
	case d.Webhooks != nil:
		return *d.Webhooks
	}
	return true
}
