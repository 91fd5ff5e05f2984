package config

import (
	"errors"
	"fmt"
	"strings"
)

func (c *checker) rule(path string, r Rule) {
	c.check(sub(path, "name"), CheckName(r.Name), "")
	c.check(sub(path, "registry"), CheckName(r.Registry), "the name of one of the registries")
	c.selects(path, r)
	c.schedule(sub(path, "schedule"), r.Schedule)
	c.notNegative(sub(path, "scanners"), r.Scanners)
	c.retention(sub(path, "retention"), r.Retention)
	if r.Pool != "" {
		c.check(sub(path, "pool"), CheckName(r.Pool), "")
	}
	if r.ScanAll && (r.Schedule.EveryDays < 7 || r.Cap <= 0 && r.PushedWithin == Window{}) {
		c.add(sub(path, "scanAll"), "needs a schedule of 7 days or more in the same rule, and a cap or pushedWithin",
			"schedule: {everyDays: 7}, pushedWithin: 30d")
	}
}

// selects checks what says which images a rule means.
func (c *checker) selects(path string, r Rule) {
	c.patterns(sub(path, "repositories"), r.Repositories, checkRepositoryPattern)
	c.patterns(sub(path, "excludeRepositories"), r.ExcludeRepositories, checkRepositoryPattern)
	c.patterns(sub(path, "tags"), r.Tags, checkTagPattern)
	c.patterns(sub(path, "excludeTags"), r.ExcludeTags, checkTagPattern)
	c.patterns(sub(path, "platforms"), r.Platforms, CheckPlatform)
	c.notNegative(sub(path, "cap"), r.Cap)
}

func (c *checker) patterns(path string, list []string, check func(string) error) {
	for i, s := range list {
		c.check(fmt.Sprintf("%s[%d]", path, i), check(s), "")
	}
}

func (c *checker) notNegative(path string, n int) {
	if n < 0 {
		c.add(path, fmt.Sprintf("is %d, less than 0", n), "")
	}
}

func (c *checker) schedule(path string, s Schedule) {
	c.everyDays(sub(path, "everyDays"), s.EveryDays)
	if s.At != "" {
		if !clockGrammar.MatchString(s.At) {
			c.add(sub(path, "at"), fmt.Sprintf("%q is not a time of day", short(s.At)), `as "02:00"`)
		}
		if s.EveryDays > 1 {
			c.add(sub(path, "at"), fmt.Sprintf("is for daily schedules, not for every %d days", s.EveryDays), "leave it out")
		}
	}
	if s.Timezone != "" {
		if s.At == "" {
			c.add(sub(path, "timezone"), "has no use without at", "leave it out")
		}
		c.check(sub(path, "timezone"), checkZone(s.Timezone), "as Europe/Berlin or UTC")
	}
}

func checkRepositoryPattern(s string) error {
	if strings.ToLower(s) != s {
		return fmt.Errorf("%q can match nothing: repositories are in lower case", short(s))
	}
	return CheckPattern(s)
}

func checkTagPattern(s string) error {
	if strings.Contains(s, "/") {
		return errors.New("can match nothing: a tag has no slash")
	}
	return CheckPattern(s)
}
