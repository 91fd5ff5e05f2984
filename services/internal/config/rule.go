package config

// Rule says what to scan, when, where and how much. Patterns are described in
// package rule, which compiles them.
type Rule struct {
	Name                string   `json:"name"`
	Registry            string   `json:"registry"`
	Repositories        []string `json:"repositories,omitempty"` // patterns; none: all
	ExcludeRepositories []string `json:"excludeRepositories,omitempty"`
	Tags                []string `json:"tags,omitempty"` // patterns; none: all
	ExcludeTags         []string `json:"excludeTags,omitempty"`
	Platforms           []string `json:"platforms,omitempty"` // os[/architecture[/variant]]; none: all
	OnPush              *bool    `json:"onPush,omitempty"`    // nil: as the registry or the defaults say
	Schedule            Schedule `json:"schedule,omitzero"`
	Cap                 int      `json:"cap,omitempty"`           // newest N images per repository; 0: all
	PushedWithin        Window   `json:"pushedWithin,omitzero"`   // only images pushed this recently; zero: all
	ScanAll             bool     `json:"scanAll,omitempty"`       // every sweep scans everything again
	ImmutableTags       bool     `json:"immutableTags,omitempty"` // nobody can move these tags: sweeps do not ask for known ones again
	Scanners            int      `json:"scanners,omitempty"`      // unfinished scans of one sweep at a time; 0: no bound
	Pool                string   `json:"pool,omitempty"`          // named group of workers; blank: any
	Retention           Duration `json:"retention,omitzero"`      // 0: as the defaults say
}

// Schedule says when a rule's sweeps are due.
type Schedule struct {
	EveryDays int    `json:"everyDays,omitempty"` // 1 to 365; 0: as the defaults say
	At        string `json:"at,omitempty"`        // "15:04" for a daily rule; blank: the time the rule was made
	Timezone  string `json:"timezone,omitempty"`  // IANA name, together with At; blank: UTC
}
