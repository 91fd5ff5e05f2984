package match_test

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/semantic"
)

// This file is a second evaluation, by the text of the OSV schema, record by
// record: nothing is compiled, indexed or remembered, and nothing but the order
// of two versions is shared with what it checks.

var (
	separators = regexp.MustCompile(`[-_.]+`)
	number     = regexp.MustCompile(`^v?[0-9]`)
)

// installed is a package as its image has it.
type installed struct{ ecosystem, name, version, module string }

// key is what records and packages must share to be held against each other.
func key(ecosystem, name string) string {
	family, _, _ := strings.Cut(ecosystem, ":")
	switch family {
	case "PyPI":
		name = separators.ReplaceAllString(strings.ToLower(name), "-")
	case "NuGet", "Packagist", "GitHub Actions", "VSCode":
		name = strings.ToLower(name)
	}
	return family + "\x00" + name
}

// naive gives the ids of the records that affect each of the packages.
func naive(records map[string]rawRecord, packages []installed) [][]string {
	wanted := map[string][]int{}
	for i, p := range packages {
		wanted[key(p.ecosystem, p.name)] = append(wanted[key(p.ecosystem, p.name)], i)
	}
	hits := make([][]string, len(packages))
	for id, r := range records {
		if r.Withdrawn != "" {
			continue
		}
		for _, a := range r.Affected {
			for _, i := range wanted[key(a.Package.Ecosystem, a.Package.Name)] {
				p := packages[i]
				if !sameEcosystem(p.ecosystem, a.Package.Ecosystem) || !sameStream(p.module, a.Specific.Module) {
					continue
				}
				hit := versionListed(p, a.Versions)
				for _, g := range a.Ranges {
					hit = hit || inRange(p, g.Type, g.Events)
				}
				if hit {
					hits[i] = append(hits[i], id)
				}
			}
		}
	}
	for i := range hits {
		slices.Sort(hits[i])
		hits[i] = slices.Compact(hits[i])
	}
	return hits
}

// sameEcosystem: the whole string, but for what an os-release cannot tell.
func sameEcosystem(pkg, entry string) bool {
	if strings.HasPrefix(pkg, "Red Hat:") {
		product, _, _ := strings.Cut(entry, "::")
		return pkg == product || pkg == entry
	}
	return pkg == entry || strings.HasPrefix(pkg, "Ubuntu:") && strings.Replace(entry, ":Pro:", ":", 1) == pkg
}

func sameStream(pkg, entry string) bool { return entry == "" || strings.HasPrefix(pkg+":", entry+":") }

func versionListed(p installed, versions []string) bool {
	return slices.ContainsFunc(versions, func(v string) bool {
		order, err := compareVersions(p.ecosystem, p.version, v)
		return v == p.version || err == nil && order == 0
	})
}

// inRange is IncludedInRanges of the schema for one range. The schema leaves
// the order of events of one version open: there a run that is open ends before
// the next begins, and one that is not begins before it ends.
func inRange(p installed, kind string, events []map[string]string) bool {
	ecosystem := p.ecosystem
	switch kind {
	case "ECOSYSTEM":
	case "SEMVER":
		ecosystem = "npm"
	default:
		return false
	}
	text := func(e map[string]string) string {
		return cmp.Or(e["introduced"], e["fixed"], e["last_affected"], e["limit"])
	}
	order := func(a, b string) int {
		n, err := compareVersions(ecosystem, a, b)
		if err != nil {
			panic(err)
		}
		return n
	}
	for _, e := range events {
		if _, err := compareVersions(ecosystem, p.version, text(e)); err != nil {
			return false
		}
	}
	if !beforeLimits(p.version, events, order) {
		return false
	}
	vulnerable := false
	events = slices.DeleteFunc(slices.Clone(events), func(e map[string]string) bool { return e["limit"] != "" })
	slices.SortStableFunc(events, func(a, b map[string]string) int { return order(text(a), text(b)) })
	for len(events) > 0 {
		n := 1
		for n < len(events) && order(text(events[0]), text(events[n])) == 0 {
			n++
		}
		at := slices.Clone(events[:n])
		open := vulnerable
		slices.SortStableFunc(at, func(a, b map[string]string) int {
			if (a["introduced"] == "") == (b["introduced"] == "") {
				return 0
			}
			if (a["introduced"] != "") != open {
				return -1
			}
			return 1
		})
		for _, e := range at {
			switch n := order(p.version, text(e)); {
			case e["introduced"] != "" && n >= 0:
				vulnerable = true
			case e["fixed"] != "" && n >= 0, e["last_affected"] != "" && n > 0:
				vulnerable = false
			}
		}
		events = events[n:]
	}
	return vulnerable
}

func beforeLimits(version string, events []map[string]string, order func(a, b string) int) bool {
	limited := false
	for _, e := range events {
		if e["limit"] == "" {
			continue
		}
		if e["limit"] == "*" || order(version, e["limit"]) < 0 {
			return true
		}
		limited = true
	}
	return !limited
}

var errOrder = errors.New("cannot be ordered")

// The parts of a version in PEP 440, one after the other.
var pythonParts = []*regexp.Regexp{
	regexp.MustCompile(`^v?(\d+!)?\d+(\.\d+)*`),
	regexp.MustCompile(`^([-_.]?(alpha|beta|preview|pre|rc|a|b|c)([-_.]?\d+|[-_.]?))?`),
	regexp.MustCompile(`^(-\d+|[-_.]?(post|rev|r)([-_.]?\d+|[-_.]?))?`),
	regexp.MustCompile(`^([-_.]?dev([-_.]?\d+|[-_.]?))?`),
	regexp.MustCompile(`^(\+[a-z0-9]+([-_.][a-z0-9]+)*)?`),
}

// python reports whether Python's tools take it for a version.
func python(v string) bool {
	rest := strings.ToLower(v)
	if !pythonParts[0].MatchString(rest) {
		return false
	}
	for _, part := range pythonParts {
		rest = rest[len(part.FindString(rest)):]
	}
	return rest == ""
}

// compareVersions orders two versions as their ecosystem does; "0" is before
// all others.
func compareVersions(ecosystem, a, b string) (order int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errOrder, p)
		}
	}()
	switch {
	case strings.HasPrefix(ecosystem, "PyPI") && (!python(a) || b != "*" && !python(b)):
		return 0, errOrder
	case b == "0" && a != "0":
		return 1, nil
	case a == "0" && b != "0":
		return -1, nil
	case b == "*":
		return -1, nil
	}
	family, _, _ := strings.Cut(ecosystem, ":")
	switch family {
	case "GitHub Actions", "VSCode", "Go", "Bitnami", "crates.io", "Hex", "SwiftURL":
		family = "npm"
	case "Mageia", "Azure Linux":
		family = "Red Hat"
	}
	if family == "npm" && !number.MatchString(b) {
		return 0, errOrder // nightlies and the like
	}
	v, err := semantic.Parse(a, family)
	if err != nil {
		return 0, err
	}
	return v.CompareStr(b)
}
