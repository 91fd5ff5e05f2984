package advisory

import "encoding/json"

// The parts of the OSV schema that are read. What sources put into the two
// free-form objects is raw: a wrong type there must not cost the record.
type (
	osvRecord struct {
		ID        string          `json:"id"`
		Modified  string          `json:"modified"`
		Withdrawn string          `json:"withdrawn"`
		Aliases   []string        `json:"aliases"`
		Upstream  []string        `json:"upstream"`
		Related   []string        `json:"related"`
		Summary   string          `json:"summary"`
		Severity  []osvSeverity   `json:"severity"`
		Affected  []osvAffected   `json:"affected"`
		Database  json.RawMessage `json:"database_specific"`
	}
	osvSeverity struct {
		Type  string `json:"type"`
		Score string `json:"score"`
	}
	osvAffected struct {
		Package struct {
			Ecosystem string `json:"ecosystem"`
			Name      string `json:"name"`
		} `json:"package"`
		Severity  []osvSeverity   `json:"severity"`
		Ranges    []osvRange      `json:"ranges"`
		Versions  []string        `json:"versions"`
		Ecosystem json.RawMessage `json:"ecosystem_specific"`
		Database  json.RawMessage `json:"database_specific"`
	}
	osvRange struct {
		Type   string     `json:"type"`
		Events []osvEvent `json:"events"`
	}
	osvEvent struct {
		Introduced   string `json:"introduced"`
		Fixed        string `json:"fixed"`
		LastAffected string `json:"last_affected"`
		Limit        string `json:"limit"`
	}
)

// points gives what an event says: one thing by the schema, but an object can
// hold several. An event of an unknown kind gives one that nobody understands.
func (e osvEvent) points() []point {
	var out []point
	for _, p := range []point{
		{kind: "introduced", text: e.Introduced},
		{kind: "fixed", text: e.Fixed},
		{kind: "last_affected", text: e.LastAffected},
		{kind: "limit", text: e.Limit},
	} {
		if p.text != "" {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		out = append(out, point{kind: "unknown"})
	}
	return out
}

// word reads one string out of a free-form object; anything else is "".
func word(object json.RawMessage, key string) string {
	if len(object) == 0 {
		return ""
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(object, &fields) != nil {
		return ""
	}
	var s string
	if json.Unmarshal(fields[key], &s) != nil || len(s) > 100 {
		return ""
	}
	return s
}
