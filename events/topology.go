package events

import (
	"strings"
	"time"
)

// StreamName names a stream of the contract, before the installation's prefix.
type StreamName string

// The streams.
const (
	Registry   StreamName = "REGISTRY"   // what registries say, replayable
	Plans      StreamName = "PLANS"      // user requests
	Sweeps     StreamName = "SWEEPS"     // due sweeps
	Scans      StreamName = "SCANS"      // wake-ups for jobs
	Rematch    StreamName = "REMATCH"    // verdicts to be made again
	Results    StreamName = "RESULTS"    // what landwaiter says, replayable
	Deliveries StreamName = "DELIVERIES" // outgoing webhooks
	Replays    StreamName = "REPLAYS"    // webhooks to be read again
	Dead       StreamName = "DEAD"       // what could not be handled, whole
)

// Topology is where everything lies on one broker: several installations share
// a broker by different prefixes.
type Topology struct {
	// Prefix is the first token of every subject and, in upper case, of every
	// stream name unless it is DefaultPrefix. Empty means DefaultPrefix.
	Prefix string
	// ResultsAge is how long RESULTS keeps its events; 0 means 30 days.
	ResultsAge time.Duration
}

// DefaultPrefix is the prefix of an installation that has a broker to itself.
const DefaultPrefix = "landwaiter"

// Validate tells whether the prefix is fit for subjects and stream names.
func (t Topology) Validate() error {
	return check(ValidName(t.prefix()), "prefix", t.Prefix)
}

// Stream describes a stream: data for whoever creates it.
type Stream struct {
	Name      string
	Subjects  []string
	WorkQueue bool          // messages go when acknowledged; else they stay for MaxAge
	MaxAge    time.Duration // 0: no limit
	// Duplicates is how long the broker remembers message ids. It only saves
	// work: nothing relies on it to be correct.
	Duplicates time.Duration
}

const day = 24 * time.Hour

// Streams lists the streams of the installation.
func (t Topology) Streams() []Stream {
	resultsAge := t.ResultsAge
	if resultsAge <= 0 {
		resultsAge = 30 * day
	}
	queue := func(name StreamName, subject string) Stream {
		return Stream{Name: t.Stream(name), Subjects: []string{t.subject(subject)}, WorkQueue: true, Duplicates: 2 * time.Minute}
	}
	keep := func(name StreamName, subject string, age time.Duration) Stream {
		return Stream{
			Name: t.Stream(name), Subjects: []string{t.subject(subject)},
			MaxAge: age, Duplicates: min(time.Hour, age),
		}
	}
	return []Stream{
		keep(Registry, "registry.>", 7*day),
		queue(Plans, "plan.>"),
		queue(Sweeps, "sweep.>"),
		queue(Scans, "scan.>"),
		queue(Rematch, "rematch"),
		keep(Results, "result.>", resultsAge),
		queue(Deliveries, "delivery.>"),
		queue(Replays, "replay.>"),
		keep(Dead, "dead.>", 30*day),
	}
}

// Stream is a stream's name on the broker.
func (t Topology) Stream(name StreamName) string {
	if t.prefix() == DefaultPrefix {
		return string(name)
	}
	return strings.ToUpper(t.prefix()) + "_" + string(name)
}

// Bucket is the broker's name for a key-value bucket or object store. No prefix
// has an underscore, so two installations never mean the same one.
func (t Topology) Bucket(name string) string {
	return t.prefix() + "_" + name
}

func (t Topology) prefix() string {
	if t.Prefix == "" {
		return DefaultPrefix
	}
	return t.Prefix
}

func (t Topology) subject(tail string) string { return t.prefix() + "." + tail }

// Subject is where an event is published.
func (t Topology) Subject(e Event) string {
	s := e.Kind().shape()
	tokens := []string{t.prefix(), s.prefix}
	if s.named {
		tokens = append(tokens, string(e.Kind()))
	}
	return strings.Join(append(tokens, e.data.route()...), ".")
}

// ReplaySubject is where webhooks of a registry go that are to be read again.
func (t Topology) ReplaySubject(registry string) string {
	return t.subject("replay." + registry)
}

// DeadSubject is where the dead letters of a stream go.
func (t Topology) DeadSubject(stream StreamName) string {
	return t.subject("dead." + string(stream))
}

// ResultSubjects is the filter for every result, or for one registry's.
func (t Topology) ResultSubjects(registry string) string {
	if registry == "" {
		return t.subject("result.>")
	}
	return t.subject("result.*.*." + registry)
}
