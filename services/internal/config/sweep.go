package config

// Sweep is what a user asks to be swept now: a rule, or a registry with
// filters, which mean what they mean in a rule.
type Sweep struct {
	Rule         string   `json:"rule,omitempty"`
	Registry     string   `json:"registry,omitempty"`
	Repositories []string `json:"repositories,omitempty"` // patterns; none: all
	Tags         []string `json:"tags,omitempty"`         // patterns; none: all
	PushedWithin Window   `json:"pushedWithin,omitzero"`  // only images pushed this recently, by days of UTC; zero: all
	Cap          int      `json:"cap,omitempty"`          // newest N images per repository; 0: all
	Force        bool     `json:"force,omitempty"`        // scan again what is known
	Refetch      bool     `json:"refetch,omitempty"`      // and read layers again that were read before
}

// DecodeSweep reads what is to be swept from JSON, as strictly as a rule.
func DecodeSweep(data []byte) (Sweep, error) {
	var s Sweep
	c := newChecker("")
	if c.readJSON(data, &s) {
		c.sweep(s)
	}
	if err := c.err(); err != nil {
		return Sweep{}, err
	}
	return s, nil
}

// Selection is the rule that the filters make. It has no name.
func (s Sweep) Selection() Rule {
	return Rule{
		Registry: s.Registry, Repositories: s.Repositories, Tags: s.Tags, PushedWithin: s.PushedWithin, Cap: s.Cap,
	}
}

func (c *checker) sweep(s Sweep) {
	if c.given("rule") {
		c.check("rule", CheckName(s.Rule), "the name of one of the rules")
		for _, filter := range []string{"registry", "repositories", "tags", "pushedWithin", "cap"} {
			if c.given(filter) {
				c.add(filter, "is not for the sweep of a rule, which says it itself", "leave it out, or name the registry and no rule")
			}
		}
		return
	}
	c.check("registry", CheckName(s.Registry), "the name of one of the registries; or name a rule")
	c.selects("", s.Selection())
}
