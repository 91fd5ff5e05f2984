package state

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Managed is a configured object and who may change it.
type Managed[T any] struct {
	Value T `json:"value"`
	// ManagedBy is ManagedByFile for what a configuration file defines, which
	// the API must not change; else empty.
	ManagedBy string `json:"managedBy,omitempty"`
	// Confirmed is where the object's credential may be sent, as an admin or the
	// configuration file has said: see Held. Blank: nowhere.
	Confirmed string `json:"confirmed,omitempty"`
}

// ManagedByFile marks objects that a configuration file defines.
const ManagedByFile = "file"

// Store is all of landwaiter's records.
type Store struct {
	Registries *Table[Managed[config.Registry]] // by name
	Rules      *Table[Managed[config.Rule]]     // by name
	Defaults   *Table[config.Defaults]          // one, under DefaultsKey
	Tokens     *Table[Token]                    // by role
	Places     *Table[Place]                    // see PlaceKey
	Images     *Table[Image]                    // by digest token
	Layers     *Table[Layer]                    // see LayerKey
	Jobs       *Table[Job]                      // by digest token
	Sweeps     *Table[Sweep]                    // see events.SweepKey
	Misses     *Table[MissedPage]               // see Sweep.MissedKey
	Requests   *Table[Request]                  // by request id
	Conditions *Table[Condition]                // by registry
	Budgets    *Table[Budget]                   // by registry
	Pauses     *Table[Pauses]                   // by registry
	Trials     *Table[Trial]                    // by id
	Ledger     *Table[Ledger]                   // by trust group
	Listings   *Table[Listing]                  // by rule, and see ListingKey
	Dues       *Table[Due]                      // cron's cursors, by rule
	Databases  *Table[Database]                 // one, under CurrentDatabase
	Refreshes  *Table[Refresh]                  // one, under AdvisoryRefresh
	Replicas   *Table[Replica]                  // by worker
	Workers    *Table[Worker]                   // by worker

	Inventories *Objects // layer and image inventories
	Reports     *Objects
	Advisories  *Objects // compiled databases
}

// opening bounds the opening of all buckets. Without a deadline the client gives
// each of them three seconds, which a broker that has just started may need.
const opening = 2 * time.Minute

// Open creates or updates the buckets and returns the store.
func Open(ctx context.Context, b *bus.Bus) (*Store, error) {
	ctx, cancel := context.WithTimeout(ctx, opening)
	defer cancel()
	o := opener{ctx: ctx, bus: b}
	s := &Store{
		Registries:  few[Managed[config.Registry]](&o, "registries"),
		Rules:       few[Managed[config.Rule]](&o, "rules"),
		Defaults:    few[config.Defaults](&o, "defaults"),
		Tokens:      few[Token](&o, "tokens"),
		Places:      table[Place](&o, "places"),
		Images:      table[Image](&o, "images"),
		Layers:      table[Layer](&o, "layers"),
		Jobs:        table[Job](&o, "jobs"),
		Sweeps:      few[Sweep](&o, "sweeps"),
		Misses:      table[MissedPage](&o, "misses"),
		Requests:    table[Request](&o, "requests"),
		Conditions:  few[Condition](&o, "conditions"),
		Budgets:     passing[Budget](&o, "budgets", BudgetTTL),
		Pauses:      passing[Pauses](&o, "pauses", PauseTTL),
		Trials:      passing[Trial](&o, "trials", TrialTTL),
		Ledger:      few[Ledger](&o, "ledger"),
		Listings:    table[Listing](&o, "listings"),
		Dues:        few[Due](&o, "dues"),
		Databases:   few[Database](&o, "databases"),
		Refreshes:   few[Refresh](&o, "refreshes"),
		Replicas:    passing[Replica](&o, "replicas", ReplicaTTL),
		Workers:     passing[Worker](&o, "workers", WorkerTTL),
		Inventories: o.objects("inventories"),
		Reports:     o.objects("reports"),
		Advisories:  o.objects("advisories"),
	}
	return s, o.err
}

// opener keeps the first error of a row of openings.
type opener struct {
	ctx context.Context //nolint:containedctx // lives for one call of Open only
	bus *bus.Bus
	err error
}

// table opens a bucket of any number of records.
func table[T any](o *opener, name string) *Table[T] { return opened[T](o, name, 0) }

// few opens a bucket of some hundred records at most.
func few[T any](o *opener, name string) *Table[T] { return passing[T](o, name, 0) }

// passing opens a bucket of few records, which go when they are not written
// again for as long as ttl; 0: they stay.
func passing[T any](o *opener, name string, ttl time.Duration) *Table[T] {
	t := opened[T](o, name, ttl)
	if t != nil {
		t.few = true
	}
	return t
}

func opened[T any](o *opener, name string, ttl time.Duration) *Table[T] {
	if o.err != nil {
		return nil
	}
	bucket := o.bus.Topology().Bucket(name)
	kv, err := o.bus.JetStream().CreateOrUpdateKeyValue(o.ctx, jetstream.KeyValueConfig{
		Bucket:         bucket,
		History:        1,
		Storage:        jetstream.FileStorage,
		Replicas:       o.bus.Replicas(),
		TTL:            ttl,
		LimitMarkerTTL: markerTTL,
	})
	if err != nil {
		o.err = fmt.Errorf("open bucket %s: %w", name, err)
		return nil
	}
	return &Table[T]{
		// As the client names them: a part of the format that other clients read.
		source: o.source("KV_" + bucket), subjects: "$KV." + bucket + ".",
		name: name, kv: kv, fail: o.bus.Fail(),
	}
}

func (o *opener) objects(name string) *Objects {
	if o.err != nil {
		return nil
	}
	bucket := o.bus.Topology().Bucket(name)
	os, err := o.bus.JetStream().CreateOrUpdateObjectStore(o.ctx, jetstream.ObjectStoreConfig{
		Bucket:   bucket,
		Storage:  jetstream.FileStorage,
		Replicas: o.bus.Replicas(),
	})
	if err != nil {
		o.err = fmt.Errorf("open object store %s: %w", name, err)
		return nil
	}
	// As the client names them: a part of the format that other clients read.
	return &Objects{
		source: o.source("OBJ_" + bucket), infos: "$O." + bucket + ".M.>", chunks: "$O." + bucket + ".C.",
		name: name, os: os, fail: o.bus.Fail(),
	}
}

func (o *opener) source(stream string) source {
	messages, err := o.bus.JetStream().Stream(o.ctx, stream)
	if err != nil {
		o.err = fmt.Errorf("open stream %s: %w", stream, err)
	}
	return source{conn: o.bus.JetStream().Conn(), messages: messages, replicated: o.bus.Replicas() > 1}
}

// LayerKey names a layer's inventory: who may share it, the verified blob
// digest, and what it was read with.
func LayerKey(trust string, d events.Digest, engine string) string {
	return trust + "." + d.Token() + "." + engine
}
