package view

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// keys names what the view has in Redis.
type keys struct{ prefix string }

func (k keys) image(d events.Digest) string   { return k.prefix + "image:" + d.Token() }
func (k keys) members(d events.Digest) string { return k.prefix + "members:" + d.Token() }
func (k keys) report(d events.Digest) string  { return k.prefix + "report:" + d.Token() }
func (k keys) place(id string) string         { return k.prefix + "place:" + id }
func (k keys) index(name string) string       { return k.prefix + "index:" + name }

// marker is there as long as the view follows the state.
func (k keys) marker() string { return k.prefix + "marker" }

// images are the digests in the view, scored by when to look at them again.
func (k keys) images() string { return k.prefix + "images" }

// order holds all places in one score, newest first by their ids.
func (k keys) order() string { return k.prefix + "order" }

// indexes are the indexes' names, scored by the first expiry in each.
func (k keys) indexes() string { return k.prefix + "indexes" }

// The kinds of indexes. An index's name is kind:value.
const (
	indexAll           = "all"
	indexRegistry      = "registry"
	indexRepository    = "repository"
	indexTag           = "tag"
	indexStatus        = "status"
	indexSeverity      = "severity"
	indexVulnerability = "vulnerability"
	indexPackage       = "package"
	// Of one registry's new images, until they are not new any more.
	indexAnnounced = "announced"
	indexFound     = "found"
)

// indexName is where places are entered under a value, in any case of its
// letters.
func indexName(kind, value string) string { return kind + ":" + strings.ToLower(value) }

// farFuture is the year 2500 in milliseconds: ids count down from it, so that
// the newest place comes first.
const farFuture = 16725225600000

// PlaceID names a place in the view: short, since every index entry holds it,
// and in the order of lists, the first seen last. A place that went and came
// back is another one.
func PlaceID(key string, firstSeen time.Time) string {
	const most = 12 // bytes of the hash: no two places of an installation share them
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf("%011x", farFuture-firstSeen.UnixMilli()) + base64.RawURLEncoding.EncodeToString(sum[:most])
}
