package advisory

import (
	"cmp"
	"slices"
	"strings"

	gocvss20 "github.com/pandatix/go-cvss/20"
	gocvss30 "github.com/pandatix/go-cvss/30"
	gocvss31 "github.com/pandatix/go-cvss/31"
	gocvss40 "github.com/pandatix/go-cvss/40"
)

// maxVector bounds a CVSS vector; a full one of version 4 has 220 bytes.
const maxVector = 400

// vectors computes the scores of the valid CVSS vectors, newest version first.
func vectors(in []osvSeverity) []CVSS {
	var out []CVSS
	for _, s := range in {
		if c, ok := parseCVSS(s); ok && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b CVSS) int { return cmp.Compare(b.Version, a.Version) })
	return out
}

func parseCVSS(s osvSeverity) (c CVSS, ok bool) {
	defer func() {
		if recover() != nil { // the vector is the sender's; the library is not ours
			c, ok = CVSS{}, false
		}
	}()
	if len(s.Score) > maxVector || !strings.HasPrefix(s.Type, "CVSS_V") {
		return CVSS{}, false
	}
	c.Vector = s.Score
	switch {
	case strings.HasPrefix(s.Score, "CVSS:4.0/"):
		v, err := gocvss40.ParseVector(s.Score)
		if err != nil {
			return CVSS{}, false
		}
		c.Version, c.Score = "4.0", v.Score()
	case strings.HasPrefix(s.Score, "CVSS:3.1/"):
		v, err := gocvss31.ParseVector(s.Score)
		if err != nil {
			return CVSS{}, false
		}
		c.Version, c.Score = "3.1", v.BaseScore()
	case strings.HasPrefix(s.Score, "CVSS:3.0/"):
		v, err := gocvss30.ParseVector(s.Score)
		if err != nil {
			return CVSS{}, false
		}
		c.Version, c.Score = "3.0", v.BaseScore()
	default:
		v, err := gocvss20.ParseVector(strings.Trim(s.Score, "()"))
		if err != nil {
			return CVSS{}, false
		}
		c.Version, c.Score = "2.0", v.BaseScore()
	}
	return c, true
}

func rating(kind RatingKind, text string) Rating {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" {
		return Rating{}
	}
	return Rating{Kind: kind, Word: text}
}

// recordRating reads what rates a whole record.
func recordRating(raw osvRecord) Rating {
	for _, s := range raw.Severity {
		if s.Type == "Ubuntu" && len(s.Score) < 100 {
			return rating(Priority, s.Score)
		}
	}
	if r := rating(Declared, word(raw.Database, "severity")); r.Word != "" {
		return r
	}
	prefix, _, _ := strings.Cut(raw.ID, "-")
	switch prefix {
	case "ALSA", "ALBA", "ALEA", "RLSA", "RLBA", "RLEA", "RXSA":
		first, _, _ := strings.Cut(strings.ToLower(raw.Summary), ":")
		switch first {
		case "critical", "important", "moderate", "low":
			return Rating{Kind: Summary, Word: first}
		}
	}
	return Rating{}
}

// affectedRating reads what rates a flaw in one package.
func affectedRating(a osvAffected) Rating {
	if r := rating(Urgency, word(a.Ecosystem, "urgency")); r.Word != "" {
		return r
	}
	for _, s := range a.Severity {
		if s.Type == "Ubuntu" && len(s.Score) < 100 {
			return rating(Priority, s.Score)
		}
	}
	if r := rating(Priority, word(a.Ecosystem, "ubuntu_priority")); r.Word != "" {
		return r
	}
	return rating(Informational, word(a.Database, "informational"))
}
