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

// JFrog reads Artifactory's webhooks of the domain docker, in their wrapper or
// as the bare data. They have neither an id nor a time, so every delivery is a
// fact of its own.
type JFrog struct {
	// Repositories gives, for each repository key, what comes before the path
	// in references; blank: nothing. Other keys are not taken. Without any,
	// it is the key itself.
	Repositories map[string]string
}

type jFrogPayload struct {
	Domain      string          `json:"domain"`
	EventType   string          `json:"event_type"`
	Data        json.RawMessage `json:"data"`
	UserContext struct {
		ID string `json:"id"`
	} `json:"userContext"`
}

type jFrogData struct {
	RepoKey   string `json:"repo_key"`
	EventType string `json:"event_type"`
	Path      string `json:"path"` // image/tag/file
	SHA256    string `json:"sha256"`
	Size      int64  `json:"size"`
	ImageType string `json:"image_type"`
	Tag       string `json:"tag"`
	Platforms []struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
	} `json:"platforms"`
}

const (
	jFrogIndex    = "list.manifest.json"
	jFrogManifest = "manifest.json"
	// jFrogSample is the checksum that the Test button sends.
	jFrogSample = "sample_checksum"
)

// Parse implements Source.
func (s JFrog) Parse(_ http.Header, body []byte, _ time.Time) (Batch, error) {
	var p jFrogPayload
	if err := decodeMost(body, &p); err != nil {
		return Batch{}, fmt.Errorf("decode payload: %w", err)
	}
	if p.Domain != "" && p.Domain != "docker" {
		return Batch{Ignored: []Reason{NotAnImage}}, nil
	}
	if !given(p.Data) {
		p.Data = body
	}
	var d jFrogData
	if err := decodeMost(p.Data, &d); err != nil {
		return Batch{}, fmt.Errorf("decode data: %w", err)
	}
	if d.RepoKey == "" && d.Path == "" {
		return Batch{}, errors.New("decode data: neither repo_key nor path")
	}
	d.EventType = cmp.Or(p.EventType, d.EventType)
	f, reason := s.fact(d, p.Domain)
	f.Actor = actor(p.UserContext.ID)
	return single(f, reason), nil
}

func (s JFrog) fact(d jFrogData, domain string) (Fact, Reason) {
	var f Fact
	rest, file := cutLast(strings.Trim(d.Path, "/"))
	image, folder := cutLast(rest)
	switch {
	case d.SHA256 == jFrogSample:
		return f, Ping
	case domain == "" && file != jFrogManifest && file != jFrogIndex: // bare data of any domain
		return f, NotAnImage
	case image == "" || d.RepoKey == "":
		return f, NoRepository
	}
	var reason Reason
	if f.Repository, reason = prefixed(s.Repositories, d.RepoKey, d.RepoKey, image); reason != "" {
		return f, reason
	}
	f.Tag, f.Digest = reference(cmp.Or(d.Tag, folder), "sha256:"+strings.TrimPrefix(d.SHA256, "sha256:"))
	f.Size = max(d.Size, 0)
	if len(d.Platforms) == 1 && file != jFrogIndex {
		f.OS, f.Architecture = platformWord(d.Platforms[0].OS), platformWord(d.Platforms[0].Architecture)
	}
	return f.happened(jFrogAction(d.EventType), d.class(file))
}

func jFrogAction(s string) events.Action {
	switch s {
	case "pushed", "promoted": // promoted into the repository it names
		return events.ActionPush
	case "deleted":
		return events.ActionDelete
	default:
		return events.ActionOther
	}
}

// class is what the payload proves: under oci there are charts, too.
func (d jFrogData) class(file string) events.Class {
	switch {
	case file == jFrogIndex:
		return events.ClassIndex
	case d.ImageType == "docker":
		return events.ClassImage
	default:
		return events.ClassUnknown
	}
}

// cutLast cuts the last segment off a path.
func cutLast(path string) (before, last string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

var platformForm = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// platformWord is an operating system or architecture, blank where s is none.
func platformWord(s string) string {
	if s == "unknown" || !platformForm.MatchString(s) {
		return ""
	}
	return s
}
