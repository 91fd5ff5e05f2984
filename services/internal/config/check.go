package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // time zones must be known in an image that holds nothing but the binary
)

const maxPattern = 512

var (
	nameGrammar    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	patternGrammar = regexp.MustCompile(`^[A-Za-z0-9._/*-]+$`)
	clockGrammar   = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	partGrammar    = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)
)

// CheckName tells what keeps s from being the name of a registry, credential,
// rule, pool or trust group: 1 to 63 lower-case letters, digits and inner dashes.
func CheckName(s string) error {
	switch {
	case s == "":
		return errors.New("is missing")
	case !nameGrammar.MatchString(s):
		return fmt.Errorf("%q is not a name: 1 to 63 lower-case letters, digits and dashes, no dash at the ends", s)
	}
	return nil
}

// CheckPattern tells what keeps s from being a pattern for repositories or tags.
func CheckPattern(s string) error {
	switch {
	case s == "":
		return errors.New("is blank; leave the list out to mean everything")
	case len(s) > maxPattern:
		return fmt.Errorf("is longer than %d characters", maxPattern)
	case !patternGrammar.MatchString(s):
		return fmt.Errorf("%q is not a pattern: letters, digits, dots, dashes, underscores, slashes and *", s)
	}
	return nil
}

// CheckPlatform tells what keeps s from being os[/architecture[/variant]] with
// the OS linux or windows.
func CheckPlatform(s string) error {
	parts := strings.Split(s, "/")
	if !slices.Contains([]string{"linux", "windows"}, parts[0]) {
		return fmt.Errorf("%q is not a platform: the OS is linux or windows", s)
	}
	bad := func(p string) bool { return !partGrammar.MatchString(p) }
	if len(parts) > 3 || slices.ContainsFunc(parts[1:], bad) {
		return fmt.Errorf("%q is not a platform: os[/architecture[/variant]], as linux/arm64/v8", s)
	}
	return nil
}

// CheckSchedule tells what is wrong with a schedule, joined from [Mistake]s
// whose paths begin in the schedule.
func CheckSchedule(s Schedule) error {
	c := newChecker("")
	c.schedule("", s)
	return c.err()
}

func checkZone(name string) error {
	if name == "Local" {
		return errors.New(`"Local" depends on the machine`)
	}
	if _, err := time.LoadLocation(name); err != nil {
		return fmt.Errorf("%q is not a time zone", name)
	}
	return nil
}
