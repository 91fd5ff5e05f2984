package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// SweepCounts is how far a sweep came.
type SweepCounts struct {
	Repositories int `json:"repositories"`
	Tags         int `json:"tags"`
	Images       int `json:"images"`   // distinct platform manifests in its scope
	Released     int `json:"released"` // scans asked for
	Finished     int `json:"finished"` // of these, ended
	Failed       int `json:"failed"`   // of these, failed
	Gone         int `json:"gone"`     // places found missing
}

// least is the smallest of the counts.
func (c SweepCounts) least() int {
	return min(c.Repositories, c.Tags, c.Images, c.Released, c.Finished, c.Failed, c.Gone)
}

// SweepEvent tells of a sweep: started, completed, failed, cancelled.
type SweepEvent struct {
	Kind     Kind        `json:"-"`
	Sweep    string      `json:"sweep"`
	Rule     string      `json:"rule,omitempty"`
	Registry string      `json:"registry"`
	Counts   SweepCounts `json:"counts"`
	Partial  bool        `json:"partial"` // part of the catalog could not be listed
	Error    string      `json:"error,omitempty"`
	At       time.Time   `json:"at"`
}

func (d SweepEvent) kind() Kind      { return d.Kind }
func (d SweepEvent) route() []string { return []string{d.Registry} }
func (d SweepEvent) about() string   { return d.Sweep }

func (d SweepEvent) validate() error {
	switch d.Kind {
	case SweepStarted, SweepCompleted, SweepFailed, SweepCancelled:
		return errors.Join(
			check(ValidName(d.Registry), "registry", d.Registry),
			check(validKey(d.Sweep), "sweep", d.Sweep),
			check(d.Rule == "" || ValidName(d.Rule), "rule", d.Rule),
			checkCounts("counts", d.Counts.least()),
			check(!d.At.IsZero(), "at", ""),
		)
	default:
		return check(false, "kind", string(d.Kind))
	}
}

func decodeSweepEvent(k Kind, raw []byte) (Data, error) {
	var d SweepEvent
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("decode data: %w", err)
	}
	d.Kind = k
	return d, d.validate()
}
