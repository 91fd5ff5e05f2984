package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ScanEvent tells of a scan's progress: queued, started, inventoried, failed,
// cancelled. scan.completed has more to say and its own type.
type ScanEvent struct {
	Kind       Kind      `json:"-"`
	Scan       string    `json:"scan"` // digest and generation of the job
	Image      Image     `json:"image"`
	Generation uint64    `json:"generation"`
	Status     int       `json:"status"` // 0 to 6, as Mirantis Secure Registry counts
	Lane       Lane      `json:"lane"`
	Rules      []string  `json:"rules,omitempty"`
	Attempt    int       `json:"attempt,omitempty"`
	Worker     string    `json:"worker,omitempty"` // scan.started, scan.inventoried: who works on it
	Error      string    `json:"error,omitempty"`  // scan.failed: why, in words for a person
	At         time.Time `json:"at"`
}

func (d ScanEvent) kind() Kind      { return d.Kind }
func (d ScanEvent) route() []string { return []string{d.Image.Registry} }
func (d ScanEvent) about() string   { return d.Image.Reference() }

func (d ScanEvent) validate() error {
	switch d.Kind {
	case ScanQueued, ScanStarted, ScanInventoried, ScanFailed, ScanCancelled:
	default:
		return check(false, "kind", string(d.Kind))
	}
	return errors.Join(
		d.Image.validate(),
		check(d.Scan != "", "scan", d.Scan),
		checkStatus(d.Status),
		check(d.Lane.valid(), "lane", string(d.Lane)),
		checkEach(ValidName, "rule", d.Rules),
		checkCounts("attempt", d.Attempt),
		check(!d.At.IsZero(), "at", ""),
		check((d.Error != "") == (d.Kind == ScanFailed), "error", d.Error),
	)
}

func decodeScanEvent(k Kind, raw []byte) (Data, error) {
	var d ScanEvent
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("decode data: %w", err)
	}
	d.Kind = k
	return d, d.validate()
}
