package config

import (
	"fmt"
	"maps"
	"slices"
)

// maxHinted bounds the names a hint chooses from.
const maxHinted = 100

// document checks a whole document: every object, and what they say of each
// other.
func (c *checker) document(d Document, known Known) {
	c.everyDays("defaults.everyDays", d.Defaults.EveryDays)
	c.retention("defaults.retention", d.Defaults.Retention)
	registries := names{checker: c, here: map[string]string{}, known: known.Registries}
	credentials := names{checker: c, here: map[string]string{}, known: known.Credentials}
	rules := names{checker: c, here: map[string]string{}}
	for i, r := range d.Registries {
		path := fmt.Sprintf("registries[%d]", i)
		c.registry(path, r)
		registries.add(path, r.Name)
	}
	for i, cr := range d.Credentials {
		path := fmt.Sprintf("credentials[%d]", i)
		c.credential(path, cr)
		credentials.add(path, cr.Name)
	}
	for i, r := range d.Registries {
		credentials.mustHave(fmt.Sprintf("registries[%d].credential", i), "credential", r.Credential)
	}
	for i, r := range d.Rules {
		path := fmt.Sprintf("rules[%d]", i)
		c.rule(path, r)
		rules.add(path, r.Name)
		registries.mustHave(path+".registry", "registry", r.Registry)
	}
	seen := map[string]bool{}
	for i, e := range d.Advisories.Ecosystems {
		path := fmt.Sprintf("advisories.ecosystems[%d]", i)
		switch {
		case e == "":
			c.add(path, "is blank", "")
		case seen[e]:
			c.add(path, fmt.Sprintf("%q is listed twice", short(e)), "")
		}
		seen[e] = true
	}
}

// names holds the names of one kind of object.
type names struct {
	*checker

	here  map[string]string // path of each name in the document
	known []string          // names elsewhere; nil: unknown
}

func (n *names) add(path, name string) {
	if first, ok := n.here[name]; ok && name != "" {
		n.checker.add(path+".name", fmt.Sprintf("%q is taken, see line %d", short(name), n.lines[first+".name"]), "")
		return
	}
	n.here[name] = path
}

func (n *names) mustHave(path, kind, name string) {
	_, here := n.here[name]
	if name == "" || here || n.known == nil && len(n.here) == 0 || slices.Contains(n.known, name) {
		return
	}
	hint := "none is configured"
	if all := slices.Concat(slices.Sorted(maps.Keys(n.here)), n.known); len(all) > 0 {
		hint = nearestHint(name, all[:min(len(all), maxHinted)])
	}
	n.checker.add(path, fmt.Sprintf("no %s is named %q", kind, short(name)), hint)
}

func (c *checker) everyDays(path string, days int) {
	if days < 0 || days > 365 || days == 0 && c.given(path) {
		c.add(path, fmt.Sprintf("is %d, not from 1 to 365 days", days), "")
	}
}

func (c *checker) retention(path string, d Duration) {
	if d < 0 || d == 0 && c.given(path) {
		c.add(path, "must be longer than 0", "leave it out for 30d")
	}
}

// oneOf checks a word against a list.
func oneOf[T ~string](c *checker, path string, word T, words []T) {
	if slices.Contains(words, word) {
		return
	}
	all := make([]string, 0, len(words))
	for _, w := range words {
		all = append(all, string(w))
	}
	if word == "" {
		c.add(path, "is missing", nearestHint("", all))
		return
	}
	c.add(path, fmt.Sprintf("%q is not known", short(string(word))), nearestHint(string(word), all))
}
