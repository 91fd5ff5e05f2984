package console

import (
	"slices"
	"strconv"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// fieldGroup is a part of a form, with what it is about.
type fieldGroup struct {
	Head   string
	Fields []field
}

// field is an input. Its path is where the value goes in the object that the
// API takes: schedule.at.
type field struct {
	Path, Label, Hint string
	Kind              string // text, number, list (a line each), flag, choice
	Value             string
	Choices           []choice
}

type choice struct{ Value, Label string }

// ruleFields are a rule's inputs, filled in.
func ruleFields(r config.Rule, registries []string) []fieldGroup {
	return []fieldGroup{
		{"Which images", []field{
			{Path: "name", Label: "Name", Kind: "text", Value: r.Name, Hint: "lower-case letters, digits and inner dashes"},
			{Path: "registry", Label: "Registry", Kind: "choice", Value: r.Registry, Choices: named(registries, r.Registry)},
			list("repositories", "Repositories", r.Repositories, "a pattern a line: team/**, app-*; none: all"),
			list("excludeRepositories", "But not", r.ExcludeRepositories, "a pattern a line"),
			list("tags", "Tags", r.Tags, "a pattern a line: v*, latest; none: all"),
			list("excludeTags", "But not", r.ExcludeTags, "a pattern a line"),
			list("platforms", "Platforms", r.Platforms, "a line each: linux/amd64; none: all"),
			number("cap", "Newest images of a repository", r.Cap, "blank: all"),
			{Path: "pushedWithin", Label: "Pushed within", Kind: "text", Value: unless(r.PushedWithin == config.Window{}, r.PushedWithin.String()), Hint: "today, yesterday, 7d, 12h; blank: any time"},
		}},
		{"When", []field{
			{Path: "onPush", Label: "On push", Kind: "choice", Value: word(r.OnPush), Choices: []choice{{"", "as the registry says"}, {"true", "scan"}, {"false", "do not scan"}}},
			number("schedule.everyDays", "Sweep every so many days", r.Schedule.EveryDays, "1 to 365; blank: as the defaults say"),
			{Path: "schedule.at", Label: "At", Kind: "text", Value: r.Schedule.At, Hint: "02:00, for daily sweeps"},
			{Path: "schedule.timezone", Label: "Time zone", Kind: "text", Value: r.Schedule.Timezone, Hint: "Europe/Berlin; blank: UTC"},
			flag("scanAll", "Sweeps scan everything again", r.ScanAll, "every 7 days or more, with a number of newest images or a time"),
			flag("immutableTags", "Tags never move", r.ImmutableTags, "sweeps do not ask for known tags again"),
		}},
		{"How", []field{
			number("scanners", "Scans at a time", r.Scanners, "of one sweep; blank: no bound"),
			{Path: "pool", Label: "Pool of workers", Kind: "text", Value: r.Pool, Hint: "blank: any"},
			{Path: "retention", Label: "Keep reports for", Kind: "text", Value: unless(r.Retention == 0, r.Retention.String()), Hint: "30d, after the image is gone; blank: as the defaults say"},
		}},
	}
}

func list(path, label string, values []string, hint string) field {
	return field{Path: path, Label: label, Kind: "list", Value: strings.Join(values, "\n"), Hint: hint}
}

func number(path, label string, n int, hint string) field {
	return field{Path: path, Label: label, Kind: "number", Value: unless(n == 0, strconv.Itoa(n)), Hint: hint}
}

func flag(path, label string, set bool, hint string) field {
	return field{Path: path, Label: label, Kind: "flag", Value: unless(!set, "true"), Hint: hint}
}

// named are the names to choose from, with the one that is chosen.
func named(names []string, chosen string) []choice {
	if chosen != "" && !slices.Contains(names, chosen) {
		names = append(slices.Clone(names), chosen)
	}
	choices := make([]choice, 0, len(names))
	for _, n := range names {
		choices = append(choices, choice{n, n})
	}
	return choices
}

// unless is the text, or blank.
func unless(blank bool, text string) string {
	if blank {
		return ""
	}
	return text
}

func word(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}
