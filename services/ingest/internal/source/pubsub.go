package source

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// PubSub reads what Google's Artifact Registry and Container Registry publish
// to the topic gcr, as a push subscription delivers it, wrapped or not. Nothing
// in it tells an image from anything else that a registry holds. The topic is
// one for all of a project's registries.
type PubSub struct {
	// Host is the registry's own; where it is one of Google's, what is said of
	// others is left to them.
	Host string
}

// pubSubWrapper is the body of a wrapped message.
type pubSubWrapper struct {
	Message json.RawMessage `json:"message"`
}

type pubSubMessage struct {
	Data        []byte          `json:"data"` // base64
	MessageID   string          `json:"messageId"`
	PublishTime json.RawMessage `json:"publishTime"`
	// Both are sent under two names; proxies and emulators leave one out.
	OtherID   string          `json:"message_id"`
	OtherTime json.RawMessage `json:"publish_time"`
}

// pubSubChange is a message's data. An untagged push has no tag, the removal of
// a tag no digest.
type pubSubChange struct {
	Action string `json:"action"`
	Digest string `json:"digest"` // host/path@digest
	Tag    string `json:"tag"`    // host/path:tag
}

// Parse implements Source. A delivery is one change, so one that names nothing
// at a Google registry is odd as a whole.
func (p PubSub) Parse(header http.Header, body []byte, _ time.Time) (Batch, error) {
	m, err := pubSubUnwrap(header, body)
	if err != nil {
		return Batch{}, err
	}
	var c pubSubChange
	if err := decodeMost(m.Data, &c); err != nil {
		return Batch{}, fmt.Errorf("decode data: %w", err)
	}
	if c.Action == "" {
		return Batch{}, errors.New("decode data: no action")
	}
	f, err := c.named()
	if err != nil {
		return Batch{}, err
	}
	if p.elsewhere(c) {
		return single(f, OtherRegistry), nil
	}
	f.OccurredAt = moment(m.PublishTime)
	if f.OccurredAt.IsZero() {
		f.OccurredAt = moment(m.OtherTime)
	}
	f.DeliveryID = identity(cmp.Or(m.MessageID, m.OtherID))
	f.ID = f.DeliveryID
	return single(f.happened(pubSubAction(c.Action), events.ClassUnknown)), nil
}

// pubSubUnwrap finds the message: in the body, or, without a wrapper, as the
// body, with the rest in headers.
func pubSubUnwrap(h http.Header, body []byte) (pubSubMessage, error) {
	var m pubSubMessage
	var w pubSubWrapper
	if err := decodeMost(body, &w); err != nil {
		return m, fmt.Errorf("decode body: %w", err)
	}
	if !given(w.Message) {
		return pubSubMessage{
			Data: body, MessageID: h.Get("X-Goog-Pubsub-Message-Id"),
			PublishTime: json.RawMessage(h.Get("X-Goog-Pubsub-Publish-Time")),
		}, nil
	}
	if err := decodeMost(w.Message, &m); err != nil {
		return m, fmt.Errorf("decode message: %w", err)
	}
	return m, nil
}

func pubSubAction(s string) events.Action {
	switch s {
	case "INSERT":
		return events.ActionPush
	case "DELETE":
		return events.ActionDelete
	default:
		return events.ActionOther
	}
}

// googleHost is a host of Container Registry, or of an Artifact Registry that
// holds images: there are others for packages of languages.
var googleHost = regexp.MustCompile(`^([a-z0-9-]+\.)?gcr\.io(:[0-9]+)?$|^[a-z0-9-]+-docker\.pkg\.dev(:[0-9]+)?$`)

// elsewhere reports whether a change, which is at a Google registry, is at
// another one than this.
func (p PubSub) elsewhere(c pubSubChange) bool {
	host, _, _ := strings.Cut(cmp.Or(c.Digest, c.Tag), "/")
	return googleHost.MatchString(p.Host) && host != p.Host
}

// named is what the references of a change say, which must be of one
// repository. Their host is read only to see that they are references: it is
// the configured one that counts. Emulators and relays shorten the second to
// the tag alone.
func (c pubSubChange) named() (Fact, error) {
	var f Fact
	_, otherTag, digest := splitReference(c.Digest)
	_, tag, otherDigest := splitReference(c.Tag)
	bare := events.ValidTag(c.Tag)
	if bare {
		tag = c.Tag
	}
	f.Tag, f.Digest = reference(cmp.Or(tag, otherTag), cmp.Or(digest, otherDigest))
	for _, s := range []string{c.Digest, c.Tag} {
		if s == "" || bare && s == c.Tag {
			continue
		}
		host, _, _ := strings.Cut(s, "/")
		path, _, _ := splitReference(s)
		found := repository(path)
		if !googleHost.MatchString(host) || found == "" || f.Repository != "" && f.Repository != found {
			return f, fmt.Errorf("read references %.200q and %.200q: not of one repository at a Google registry", c.Digest, c.Tag)
		}
		f.Repository = found
	}
	if f.Repository == "" {
		return f, errors.New("read references: neither digest nor tag")
	}
	return f, nil
}
