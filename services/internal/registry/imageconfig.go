package registry

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

const maxCreatedBy = 1024 // bytes; a build step may be a whole script

// ImageConfig is what an image's configuration says that matters here.
type ImageConfig struct {
	Platform  verdict.Platform
	OSVersion string
	Created   time.Time // UTC; zero: unknown. Dates before 1990 mark reproducible builds and count as unknown
	DiffIDs   []string  // digests of the uncompressed layers, lowest first
	CreatedBy []string  // the build step of each layer, as long as DiffIDs; blank: unknown
}

type configDoc struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
	OSVersion    string `json:"os.version"`
	Created      string `json:"created"`
	RootFS       struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []struct {
		CreatedBy  string `json:"created_by"`
		EmptyLayer bool   `json:"empty_layer"`
	} `json:"history"`
}

// ParseConfig reads an image's configuration. The error is an ErrInvalid or
// ErrTooLarge.
func ParseConfig(raw []byte) (ImageConfig, error) {
	if len(raw) > maxConfig {
		return ImageConfig{}, fmt.Errorf("image configuration: %w: %d bytes", ErrTooLarge, len(raw))
	}
	var doc configDoc
	if err := json.Unmarshal(raw, &doc); err != nil {
		return ImageConfig{}, fmt.Errorf("image configuration: %w: %w", ErrInvalid, err)
	}
	if len(doc.RootFS.DiffIDs) > maxLayers {
		return ImageConfig{}, fmt.Errorf("image configuration: %w: %d layers", ErrTooLarge, len(doc.RootFS.DiffIDs))
	}
	system, err := doc.system()
	if err != nil {
		return ImageConfig{}, err
	}
	for _, id := range doc.RootFS.DiffIDs {
		if !IsDigest(id) {
			return ImageConfig{}, fmt.Errorf("image configuration: %w: diff id %q", ErrInvalid, cut(id))
		}
	}
	return ImageConfig{
		Platform:  verdict.Platform{OS: system, Architecture: doc.Architecture, Variant: doc.Variant},
		OSVersion: doc.OSVersion,
		Created:   created(doc.Created),
		DiffIDs:   doc.RootFS.DiffIDs,
		CreatedBy: doc.createdBy(),
	}, nil
}

// systemForm are the operating systems that jobs can be sent to workers for;
// those of Go, whose names images use, are among them.
var systemForm = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// system is the operating system. The image specification asks for it; images
// without it are old or were put together by hand, and runtimes take them for
// linux.
func (d configDoc) system() (string, error) {
	system := cmp.Or(strings.ToLower(strings.TrimSpace(d.OS)), "linux")
	if !systemForm.MatchString(system) {
		return "", fmt.Errorf("image configuration: %w: os %q is none: build it for linux or windows", ErrInvalid, cut(d.OS))
	}
	return system, nil
}

// createdBy gives each layer its line of the history. Where the two do not
// count the same, a guess would blame the wrong step: all stay blank.
func (d configDoc) createdBy() []string {
	lines := make([]string, 0, len(d.RootFS.DiffIDs))
	for _, h := range d.History {
		if h.EmptyLayer {
			continue
		}
		if len(lines) == len(d.RootFS.DiffIDs) {
			return make([]string, len(d.RootFS.DiffIDs))
		}
		line := h.CreatedBy
		if len(line) > maxCreatedBy {
			line = line[:maxCreatedBy]
		}
		lines = append(lines, strings.ToValidUTF8(line, ""))
	}
	if len(lines) != len(d.RootFS.DiffIDs) {
		return make([]string, len(d.RootFS.DiffIDs))
	}
	return lines
}

func created(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1990 || t.Year() > 9999 {
		return time.Time{}
	}
	return t.UTC()
}
