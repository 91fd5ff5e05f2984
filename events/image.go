package events

import (
	"errors"
	"time"
)

// Platform is what an image runs on.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
}

// Image names one image at one place.
type Image struct {
	Registry   string   `json:"registry"`
	Host       string   `json:"host"`
	Repository string   `json:"repository"`
	Tags       []string `json:"tags,omitempty"`
	Digest     Digest   `json:"digest"`
	Platform   Platform `json:"platform"`
	// Date is how old the image counts as there, and DateSource who says so;
	// blank: it was not looked up.
	Date       time.Time  `json:"date,omitzero"`
	DateSource DateSource `json:"dateSource,omitempty"`
}

// DateSource is where the date of an image is from.
type DateSource string

// The sources, the one that is taken before the others first.
const (
	DateWebhook   DateSource = "webhook"    // a webhook told of its push
	DateRegistry  DateSource = "registry"   // the registry's list of tags tells it
	DateFirstSeen DateSource = "first-seen" // it appeared between two listings of its repository
	DateCreated   DateSource = "created"    // the image's own configuration, which may say anything
	DateUnknown   DateSource = "unknown"    // nobody knows; there is no date
)

func (s DateSource) valid() bool {
	switch s {
	case "", DateWebhook, DateRegistry, DateFirstSeen, DateCreated, DateUnknown:
		return true
	default:
		return false
	}
}

// Reference is the image as a pull reference by digest.
func (i Image) Reference() string { return i.Host + "/" + i.Repository + "@" + string(i.Digest) }

func (i Image) validate() error {
	return errors.Join(
		check(ValidName(i.Registry), "registry", i.Registry),
		check(ValidHost(i.Host), "host", i.Host),
		check(ValidRepository(i.Repository), "repository", i.Repository),
		checkDigest("digest", i.Digest),
		checkEach(ValidTag, "tag", i.Tags),
		check(i.DateSource.valid(), "dateSource", string(i.DateSource)),
	)
}
