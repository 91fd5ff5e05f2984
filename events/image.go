package events

import "errors"

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
	)
}
