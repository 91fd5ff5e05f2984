package events

import (
	"errors"
	"slices"
	"time"
)

// AdvisoriesUpdated announces that a new advisory database is in use: every
// worker that gives signs of life has opened it, or Success says that one has
// not in time.
type AdvisoriesUpdated struct {
	Version   string    `json:"version"`
	Object    Digest    `json:"object"` // the compiled file in the object store
	UpdatedAt time.Time `json:"updatedAt"`
	Records   int       `json:"records"`
	Skipped   int       `json:"skipped"`
	At        time.Time `json:"at"`
	Success   bool      `json:"success"`
	Replicas  []Replica `json:"replicas,omitempty"` // by name
}

// Replica is a worker and the database it has in use.
type Replica struct {
	Name       string    `json:"name"`
	Version    string    `json:"version"`             // of the program
	Database   string    `json:"database,omitempty"`  // version; absent: none yet
	DatabaseAt time.Time `json:"databaseAt,omitzero"` // how new that is
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
		check(!slices.ContainsFunc(d.Replicas, func(r Replica) bool { return r.Name == "" || r.Version == "" }), "replica", ""),
	)
}

// AllRegistries is the subject's last token where an event concerns them all.
// No registry can have this name: names have no underscore.
const AllRegistries = "_all"
