package app

import "github.com/landwaiter/landwaiter/services/internal/hook"

// Webhooks reads what webhook secrets are made of: LANDWAITER_WEBHOOK_KEY, or
// the key kept in LANDWAITER_DATA, and LANDWAITER_SECRETS, the folder of
// secret files. Without key and folder only configured secrets are known.
func (v *Variables) Webhooks() hook.Secrets {
	s := hook.Secrets{Dir: v.String("LANDWAITER_SECRETS", ""), Getenv: v.env.Getenv}
	configured, dir := v.Secret("LANDWAITER_WEBHOOK_KEY"), v.String("LANDWAITER_DATA", "")
	if configured.IsZero() && dir == "" {
		return s
	}
	key, err := hook.LoadKey(dir, configured)
	if err != nil {
		v.mistake("LANDWAITER_WEBHOOK_KEY", "%w", err)
	}
	s.Key = key
	return s
}
