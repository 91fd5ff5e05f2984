package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// RegistryEvent is a registry's webhook in normal form: a claim that something
// happened there, believed only as far as "look at this image". Absent fields
// mean unknown; there are no empty strings on the wire.
type RegistryEvent struct {
	Kind         Kind      `json:"-"`
	Registry     string    `json:"registry"` // configured name
	Host         string    `json:"host"`     // pull host
	Repository   string    `json:"repository,omitempty"`
	Tag          string    `json:"tag,omitempty"`
	Digest       Digest    `json:"digest,omitempty"`
	MediaType    string    `json:"mediaType,omitempty"`
	Action       Action    `json:"action"`
	Class        Class     `json:"class,omitempty"`
	OS           string    `json:"os,omitempty"`
	Architecture string    `json:"architecture,omitempty"`
	Actor        string    `json:"actor,omitempty"`
	Size         int64     `json:"size,omitempty"` // bytes of the manifest or blob
	OccurredAt   time.Time `json:"occurredAt,omitzero"`
	ReceivedAt   time.Time `json:"receivedAt"`
	DeliveryID   string    `json:"deliveryId,omitempty"` // the sender's own id of the fact
	Source       string    `json:"source"`               // which webhook format it came in
}

func (e RegistryEvent) kind() Kind      { return e.Kind }
func (e RegistryEvent) route() []string { return []string{e.Registry} }

func (e RegistryEvent) about() string {
	switch {
	case e.Repository == "":
		return e.Host
	case e.Digest != "":
		return e.Host + "/" + e.Repository + "@" + string(e.Digest)
	case e.Tag != "":
		return e.Host + "/" + e.Repository + ":" + e.Tag
	default:
		return e.Host + "/" + e.Repository
	}
}

func (e RegistryEvent) validate() error {
	errs := []error{
		check(e.Kind.shape().stream == Registry, "kind", string(e.Kind)),
		check(ValidName(e.Registry), "registry", e.Registry),
		check(ValidHost(e.Host), "host", e.Host),
		check(e.Repository == "" || ValidRepository(e.Repository), "repository", e.Repository),
		check(e.Tag == "" || ValidTag(e.Tag), "tag", e.Tag),
		check(e.Class == "" || e.Class.valid(), "class", string(e.Class)),
		check(e.Size >= 0, "size", strconv.FormatInt(e.Size, 10)),
		check(e.Source != "", "source", e.Source),
		check(!e.ReceivedAt.IsZero(), "receivedAt", ""),
		check(e.Action == actionOf(e.Kind), "action", string(e.Action)),
	}
	if e.Digest != "" {
		errs = append(errs, checkDigest("digest", e.Digest))
	}
	if e.aboutImage() {
		errs = append(errs, check(e.Repository != "", "repository", e.Repository))
	}
	return errors.Join(errs...)
}

func (e RegistryEvent) aboutImage() bool {
	switch e.Kind {
	case ImagePushed, ImageDeleted, ImagePulled, LayerPushed:
		return true
	default:
		return false
	}
}

func decodeRegistryEvent(k Kind, raw []byte) (Data, error) {
	var d RegistryEvent
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("decode data: %w", err)
	}
	d.Kind = k
	return d, d.validate()
}
