package state

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// Token is an API token, kept as a hash.
type Token struct {
	SHA256    string    `json:"sha256"` // hex
	CreatedAt time.Time `json:"createdAt"`
}

// AdminToken is the key of the admin's token.
const AdminToken = "admin"

// DefaultsKey is the key of the one record of defaults.
const DefaultsKey = "defaults"

// Descriptor points at a blob or manifest.
type Descriptor struct {
	Digest    events.Digest `json:"digest"`
	MediaType string        `json:"mediaType,omitempty"`
	Size      int64         `json:"size,omitempty"`
}

// ImageLayer is a layer as an image's manifest and config describe it.
type ImageLayer struct {
	Descriptor
	CreatedBy string `json:"createdBy,omitempty"`
	// Foreign layers are not in the registry; they are never fetched.
	Foreign bool `json:"foreign,omitempty"`
}

// Child is one platform's manifest in an index.
type Child struct {
	Digest   events.Digest   `json:"digest"`
	Platform events.Platform `json:"platform"`
}

// Image is what is known of a manifest, wherever it lies.
type Image struct {
	Digest    events.Digest `json:"digest"`
	MediaType string        `json:"mediaType"`
	// Children makes it an index; then the fields below stay empty.
	Children []Child         `json:"children,omitempty"`
	Platform events.Platform `json:"platform,omitzero"`
	// OSVersion is the Windows that the image is of, as its configuration has
	// it: 10.0.20348.2340. No layer tells.
	OSVersion string       `json:"osVersion,omitempty"`
	Config    Descriptor   `json:"config,omitzero"`
	Created   time.Time    `json:"created,omitzero"` // the config's claim
	Layers    []ImageLayer `json:"layers,omitempty"`

	// Trust lists the trust groups whose registries gave us its layers.
	Trust []string `json:"trust,omitempty"`
	// Engine and Inventory name the inventory and what made it; empty: none.
	Engine    string        `json:"engine,omitempty"`
	Inventory events.Digest `json:"inventory,omitempty"`
	ScannedAt time.Time     `json:"scannedAt,omitzero"`
	// Keys are hashes of what its packages are looked up by, the names alone and
	// with the versions: a new database that answers none of that otherwise
	// leaves the verdict as it is.
	Keys []byte `json:"keys,omitempty"`

	// The last verdict. The report holds no time and no version, so that the
	// same verdict is the same object; it is to be read with what stands here.
	Report       events.Digest   `json:"report,omitempty"`
	Verdict      uint64          `json:"verdict,omitempty"`   // counts the image's different reports
	Announced    events.Digest   `json:"announced,omitempty"` // the last report that was told of; another one is still to be
	Database     string          `json:"database,omitempty"`  // version it holds for
	DatabaseAt   time.Time       `json:"databaseAt,omitzero"` // how new that is
	MatchedAt    time.Time       `json:"matchedAt,omitzero"`  // when it was last found to hold
	Summary      verdict.Summary `json:"summary,omitzero"`
	Completeness []string        `json:"completeness,omitempty"` // codes of what was not seen

	// The newest scan, which may have failed while an older verdict stands.
	Status     verdict.Status `json:"status"`
	Generation uint64         `json:"generation,omitempty"`
	Error      string         `json:"error,omitempty"`
}

// Index reports whether the manifest is an index of platform manifests.
func (i *Image) Index() bool { return len(i.Children) > 0 }

// Place is one image at one registry and repository.
type Place struct {
	Registry   string          `json:"registry"`
	Host       string          `json:"host"`
	Repository string          `json:"repository"`
	Digest     events.Digest   `json:"digest"`
	Index      bool            `json:"index,omitempty"`
	Platform   events.Platform `json:"platform,omitzero"`
	// Tags that point here, its index's included, and since when.
	Tags  map[string]time.Time `json:"tags,omitempty"`
	Rules []string             `json:"rules,omitempty"`
	// PushedAt is when it was pushed, as PushedBy says: a webhook or, where none
	// told, the registry. Zero: neither did.
	PushedAt  time.Time         `json:"pushedAt,omitzero"`
	PushedBy  events.DateSource `json:"pushedBy,omitempty"`
	FirstSeen time.Time         `json:"firstSeen"`
	// Appeared says that it was not there when its repository was listed before
	// it was first seen.
	Appeared bool `json:"appeared,omitempty"`
	// Created is the config's claim, an index's that of its newest image.
	Created time.Time `json:"created,omitzero"`
	// Origin is what it was recorded for; empty: by a version that did not say.
	Origin   Origin    `json:"origin,omitempty"`
	LastSeen time.Time `json:"lastSeen"` // last sighting at the registry

	// MissingSince starts the retention; a sighting clears it.
	MissingSince time.Time `json:"missingSince,omitzero"`
	Missing      string    `json:"missing,omitempty"` // gone or unreachable
	// Expired marks a place whose end is being announced before it is removed.
	Expired bool `json:"expired,omitempty"`
	// Announce is the event about this place that is still to be published.
	Announce events.Kind `json:"announce,omitempty"`
	// CheckedAt is when we last looked, whatever the answer.
	CheckedAt time.Time `json:"checkedAt"`
	// Retention and CheckEvery are the longest of its rules'.
	Retention  config.Duration `json:"retention"`
	CheckEvery config.Duration `json:"checkEvery"`
}

// Origin is what a place was first recorded for.
type Origin string

// The origins. Only the first two are of new images: the registry's webhooks
// announced one, or did not and a sweep had to find it.
const (
	OriginPush     Origin = "push"
	OriginSweep    Origin = "sweep"
	OriginBaseline Origin = "baseline" // the first listing of what a rule selects: who knows how long it had been there
	OriginRequest  Origin = "request"  // a user's
)

// Why a place is missing.
const (
	MissingGone        = "gone"        // the registry answered that it does not have it
	MissingUnreachable = "unreachable" // the registry did not answer
)

// ExpiresAt is when nothing of the place is kept any more; zero while present.
func (p *Place) ExpiresAt() time.Time {
	if p.MissingSince.IsZero() {
		return time.Time{}
	}
	return p.MissingSince.Add(time.Duration(p.Retention))
}

// Dated is how old the image counts as there, and who says so.
func (p *Place) Dated() (time.Time, events.DateSource) {
	switch {
	case !p.PushedAt.IsZero() && p.PushedBy == events.DateRegistry:
		return p.PushedAt, events.DateRegistry
	case !p.PushedAt.IsZero():
		return p.PushedAt, events.DateWebhook
	case p.Appeared:
		return p.FirstSeen, events.DateFirstSeen
	case !p.Created.IsZero():
		return p.Created, events.DateCreated
	}
	return time.Time{}, events.DateUnknown
}

// Pushed takes somebody's word of when it was pushed. A webhook's goes before
// the registry's, which may know the last upload of one of its tags only.
func (p *Place) Pushed(at time.Time, by events.DateSource) {
	if !at.IsZero() && (by == events.DateWebhook || p.PushedAt.IsZero() || p.PushedBy == events.DateRegistry) {
		p.PushedAt, p.PushedBy = at, by
	}
}

// Sighted records that the registry showed the image.
func (p *Place) Sighted(now time.Time) {
	p.LastSeen, p.CheckedAt = now, now
	p.MissingSince, p.Missing = time.Time{}, ""
	p.Expired = false
}

// SkipOutage moves a running retention on by the time in which nobody looked:
// our own outage counts against no image. Between two looks there may be twice
// the interval they are due at.
func (p *Place) SkipOutage(now time.Time) {
	usual := 2 * max(time.Duration(p.CheckEvery), time.Minute)
	if gap := now.Sub(p.CheckedAt); gap > usual {
		p.MissingSince = p.MissingSince.Add(gap - usual)
	}
}

// Event is the place's image as events name it.
func (p *Place) Event() events.Image {
	tags := make([]string, 0, len(p.Tags))
	for t := range p.Tags {
		tags = append(tags, t)
	}
	slices.Sort(tags)
	date, source := p.Dated()
	return events.Image{
		Registry: p.Registry, Host: p.Host, Repository: p.Repository,
		Tags: tags, Digest: p.Digest, Platform: p.Platform, Date: date, DateSource: source,
	}
}

// Lease is a claim on a record, renewed while its holder works. A holder that
// died lets it run out.
type Lease struct {
	Holder string    `json:"holder,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// Held reports whether somebody else than me holds the lease at now.
func (l Lease) Held(me string, now time.Time) bool {
	return l.Holder != "" && l.Holder != me && now.Before(l.Until)
}

// Layer is a layer inventory in the making or made.
type Layer struct {
	Digest events.Digest `json:"digest"`
	State  LayerState    `json:"state"`
	Lease  Lease         `json:"lease,omitzero"`
	Object events.Digest `json:"object,omitempty"` // of the inventory
	Size   int64         `json:"size,omitempty"`   // compressed bytes read
	ReadAt time.Time     `json:"readAt,omitzero"`
}

// LayerState is how far a layer's inventory is.
type LayerState string

// The layer states.
const (
	LayerReading  LayerState = "reading"
	LayerDone     LayerState = "done"
	LayerNotImage LayerState = "not-a-layer" // a blob that is no file system, such as a config
)

// Request is what a user asked for and what became of it.
type Request struct {
	ID         string          `json:"id"`
	Reference  string          `json:"reference"`
	State      RequestState    `json:"state"`
	Error      string          `json:"error,omitempty"`
	Scans      []events.Digest `json:"scans"` // platform manifests
	CreatedAt  time.Time       `json:"createdAt"`
	Registry   string          `json:"registry"`
	Repository string          `json:"repository"`
}

// RequestState is how far planning of a request is.
type RequestState string

// The request states.
const (
	RequestPlanning  RequestState = "planning"
	RequestPlanned   RequestState = "planned"
	RequestFailed    RequestState = "failed"
	RequestCancelled RequestState = "cancelled"
)

// Condition is what keeps a registry from being read: who asks for one of its
// images has to wait. There is none for a registry that answers.
type Condition struct {
	Registry string    `json:"registry"`
	Error    string    `json:"error"`
	Since    time.Time `json:"since"`
	LastAt   time.Time `json:"lastAt"`
	Count    int       `json:"count"` // failures in a row
}

// Ledger is the account of one trust group since its first entry. What was
// needed and not read was saved.
type Ledger struct {
	Trust        string `json:"trust"`
	LayersRead   int64  `json:"layersRead"` // from registries
	BytesRead    int64  `json:"bytesRead"`  // compressed
	LayersNeeded int64  `json:"layersNeeded"`
	BytesNeeded  int64  `json:"bytesNeeded"`
	ScansSaved   int64  `json:"scansSaved"` // pushes and requests of images that were known
}

// Listing is the memory of a rule that listed all it selects: what a later
// listing finds beyond that is new. Another is kept of each repository.
type Listing struct {
	Rule config.Rule `json:"rule,omitzero"` // the part of it that selects; of a repository zero
	At   time.Time   `json:"at"`            // when the first such listing was whole
	// Passed are a repository's images that were listed and have no place: they
	// were left out, or are none. Their manifests need not be read again.
	Passed []Passed `json:"passed,omitempty"`
	// More says that there were too many: what is not known may be one of them.
	More bool `json:"more,omitempty"`
}

// Passed is an image that was listed and is not kept.
type Passed struct {
	Digest events.Digest     `json:"digest"`
	Date   time.Time         `json:"date,omitzero"`
	Source events.DateSource `json:"source"`
	// None says that it is no image: a chart, an artifact.
	None bool `json:"none,omitempty"`
	// Tags lead to it for good: the rule declares them immutable.
	Tags []string `json:"tags,omitempty"`
}

// MostPassed bounds a listing: more would not fit into one record.
const MostPassed = 4000

// ListingKey names what a rule's sweeps remember of a repository.
func ListingKey(rule, repository string) string { return rule + "." + repositoryToken(repository) }

// RuleOfListing is the rule whose sweeps remember what stands under a key.
func RuleOfListing(key string) string {
	rule, _, _ := strings.Cut(key, ".")
	return rule
}

// Due is cron's memory of a rule: the last due time it published.
type Due struct {
	Rule string    `json:"rule"`
	Last time.Time `json:"last"`
}

// Database is the advisory database in use.
type Database struct {
	Version   string        `json:"version"`
	Object    events.Digest `json:"object"`
	UpdatedAt time.Time     `json:"updatedAt"`
	Records   int           `json:"records"`
	Skipped   int           `json:"skipped"`
	StoredAt  time.Time     `json:"storedAt"`
	// Announced says that it was told that this database is in use.
	Announced bool `json:"announced,omitempty"`
	// Sample marks one that stands in for the real one: most is missing.
	Sample bool `json:"sample,omitempty"`
	// Before is the version it replaced, and Changes the object that tells what
	// differs; blank: not known, any verdict may be another.
	Before  string        `json:"before,omitempty"`
	Changes events.Digest `json:"changes,omitempty"`
	// EPSS and KEV are the copies of these feeds that went into it.
	EPSS FeedCopy `json:"epss,omitzero"`
	KEV  FeedCopy `json:"kev,omitzero"`
}

// FeedCopy tells copies of a feed apart.
type FeedCopy struct {
	Date   string `json:"date,omitempty"` // as the feed writes it; later ones sort after earlier ones
	Digest string `json:"digest"`         // of its content, hexadecimal
}

// Compare orders copies by date; where that is the same, or neither has one, by
// digest: two who have different copies choose the same.
func (c FeedCopy) Compare(other FeedCopy) int {
	return cmp.Or(strings.Compare(c.Date, other.Date), strings.Compare(c.Digest, other.Digest))
}

// Refresh is what became of the last looks at the source of advisories.
type Refresh struct {
	Source      string    `json:"source"`
	SucceededAt time.Time `json:"succeededAt,omitzero"` // last success; also one that found nothing new
	Condition   Failure   `json:"condition,omitzero"`
	AskedAt     time.Time `json:"askedAt,omitzero"` // when a user last asked for a look
}

// Failure is why the last looks failed; zero while they do not. The database
// before stays in use.
type Failure struct {
	Error  string    `json:"error"`
	Since  time.Time `json:"since"`
	LastAt time.Time `json:"lastAt"`
	Count  int       `json:"count"` // in a row
}

// AdvisoryRefresh is the key of the one record of such looks.
const AdvisoryRefresh = "advisories"

// Replica is a worker and the database it has in use.
type Replica struct {
	Worker     string    `json:"worker"`
	Version    string    `json:"version"`            // of the program
	Database   string    `json:"database,omitempty"` // version; blank: none yet
	DatabaseAt time.Time `json:"databaseAt,omitzero"`
	LastAt     time.Time `json:"lastAt"` // last sign of life
}

// ReplicaTTL is how long a worker that gives no sign of life is remembered.
const ReplicaTTL = 5 * time.Minute

// Worker is one that can be given jobs, and which.
type Worker struct {
	Name  string    `json:"name"`
	OS    []string  `json:"os"`
	Pools []string  `json:"pools"`
	Until time.Time `json:"until"` // then it is taken for dead, unless it says more
}

// Serves reports whether the worker is alive and takes jobs of a pool and
// operating system.
func (w *Worker) Serves(os, pool string, now time.Time) bool {
	return now.Before(w.Until) && slices.Contains(w.OS, os) && slices.Contains(w.Pools, pool)
}

// WorkerTTL is how long a worker that says no more is remembered.
const WorkerTTL = 5 * time.Minute

// CurrentDatabase is the key of the database in use.
const CurrentDatabase = "current"
