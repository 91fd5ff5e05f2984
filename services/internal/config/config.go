// Package config holds the configuration document: registries, credentials
// and rules, as they stand in a YAML file and, in the same names, as JSON in
// the HTTP API and in stored records. Decoding is strict: every mistake is
// reported at once and none becomes a default.
package config

// Document is one configuration file. It never holds a secret, only where
// secrets are to be read from.
type Document struct {
	Defaults    Defaults     `json:"defaults,omitzero"`
	Registries  []Registry   `json:"registries,omitempty"`
	Credentials []Credential `json:"credentials,omitempty"`
	Rules       []Rule       `json:"rules,omitempty"`
	Advisories  Advisories   `json:"advisories,omitzero"`
}

// Defaults are what rules and registries fall back to. Read them through
// [Defaults.Effective], which also knows the built-in values.
type Defaults struct {
	EveryDays int      `json:"everyDays,omitempty"` // days between two sweeps of a rule, 1 to 365; 0: 1
	Retention Duration `json:"retention,omitzero"`  // how long results of an image that is gone stay; 0: 30 days
	Webhooks  *bool    `json:"webhooks,omitempty"`  // whether a push seen by webhook starts a scan; nil: true
}

// Advisories says where advisories come from.
type Advisories struct {
	Source     string   `json:"source,omitempty"`     // directory or URL in OSV export layout; blank: the public OSV export
	Ecosystems []string `json:"ecosystems,omitempty"` // OSV ecosystem names; blank: the worker's own choice
}
