package events

import (
	"errors"
	"time"
)

// AdvisoriesUpdated announces that a new advisory database is in use.
type AdvisoriesUpdated struct {
	Version   string    `json:"version"`
	Object    Digest    `json:"object"` // the compiled file in the object store
	UpdatedAt time.Time `json:"updatedAt"`
	Records   int       `json:"records"`
	Skipped   int       `json:"skipped"`
	At        time.Time `json:"at"`
}

func (d AdvisoriesUpdated) kind() Kind      { return KindAdvisories }
func (d AdvisoriesUpdated) route() []string { return []string{AllRegistries} }
func (d AdvisoriesUpdated) about() string   { return d.Version }

func (d AdvisoriesUpdated) validate() error {
	return errors.Join(
		check(d.Version != "", "version", ""),
		checkDigest("object", d.Object),
		checkCounts("records", min(d.Records, d.Skipped)),
		check(!d.At.IsZero(), "at", ""),
	)
}

// AllRegistries is the subject's last token where an event concerns them all.
// No registry can have this name: names have no underscore.
const AllRegistries = "_all"
