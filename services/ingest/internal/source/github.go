package source

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// GitHub reads the webhooks of GitHub Packages (ghcr.io): the events package
// and registry_package, which differ in one key, as JSON or as a form. They
// tell of all kinds of packages, and of published ones only.
type GitHub struct{}

type gitHubPayload struct {
	Action          string          `json:"action"`
	Package         json.RawMessage `json:"package"`
	RegistryPackage json.RawMessage `json:"registry_package"`
	Sender          struct {
		Login string `json:"login"`
	} `json:"sender"`
}

type gitHubPackage struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Owner     struct {
		Login string `json:"login"`
	} `json:"owner"`
	Type      string          `json:"package_type"`
	Ecosystem string          `json:"ecosystem"` // instead of the type in 2020
	UpdatedAt json.RawMessage `json:"updated_at"`
	Version   gitHubVersion   `json:"package_version"`
}

type gitHubVersion struct {
	Name      string           `json:"name"`
	Version   string           `json:"version"`
	URL       string           `json:"package_url"` // host/owner/name:tag
	UpdatedAt json.RawMessage  `json:"updated_at"`
	Manifest  string           `json:"manifest"` // the manifest itself, in 2019
	Container *gitHubContainer `json:"container_metadata"`
}

type gitHubContainer struct {
	Tag *struct {
		Name string `json:"name"`
	} `json:"tag"`
	Manifest gitHubManifest `json:"manifest"`
}

type gitHubManifest struct {
	Digest    string `json:"digest"`
	MediaType string `json:"media_type"`
	Size      int64  `json:"size"`
	Config    struct {
		MediaType string `json:"media_type"`
	} `json:"config"`
	Layers []struct {
		MediaType string `json:"media_type"`
	} `json:"layers"`
}

func (m gitHubManifest) layers() []string {
	list := make([]string, len(m.Layers))
	for i, l := range m.Layers {
		list[i] = l.MediaType
	}
	return list
}

// Parse implements Source.
func (GitHub) Parse(header http.Header, body []byte, _ time.Time) (Batch, error) {
	raw, err := payload(header, body)
	if err != nil {
		return Batch{}, err
	}
	var p gitHubPayload
	if err := decodeMost(raw, &p); err != nil {
		return Batch{}, fmt.Errorf("decode payload: %w", err)
	}
	if !given(p.Package) {
		p.Package = p.RegistryPackage
	}
	if !given(p.Package) {
		return withoutPackage(header.Get("X-GitHub-Event"))
	}
	var pkg gitHubPackage
	if err := decodeMost(p.Package, &pkg); err != nil {
		return Batch{}, fmt.Errorf("decode package: %w", err)
	}
	return single(p.fact(pkg, identity(header.Get("X-GitHub-Delivery")))), nil
}

// withoutPackage is a delivery of an event that has no package.
func withoutPackage(event string) (Batch, error) {
	switch event {
	case "ping":
		return Batch{Ignored: []Reason{Ping}}, nil
	case "", "package", "registry_package":
		return Batch{}, errors.New("decode payload: no package")
	default:
		return Batch{Ignored: []Reason{UnknownEvent}}, nil
	}
}

func (p gitHubPayload) fact(pkg gitHubPackage, id string) (Fact, Reason) {
	var f Fact
	if !pkg.isContainer() {
		return f, NotAnImage
	}
	if f.Repository = pkg.repository(); f.Repository == "" {
		return f, NoRepository
	}
	m := pkg.Version.manifest()
	f.Tag, f.Digest = reference(pkg.Version.tag(), m.Digest)
	f.MediaType = mediaType(m.MediaType)
	f.Size = max(m.Size, 0)
	f.Actor = actor(p.Sender.Login)
	f.OccurredAt = pkg.updated()
	f.ID, f.DeliveryID = id, id
	class := classOfContent(m.Config.MediaType, m.layers())
	if isIndex(f.MediaType) {
		class = events.ClassIndex
	}
	return f.happened(gitHubAction(p.Action), class)
}

func gitHubAction(s string) events.Action {
	switch s {
	case "published", "updated", "create": // the last in 2020
		return events.ActionPush
	default:
		return events.ActionOther
	}
}

// isContainer believes the type before the ecosystem. Without both, what only
// containers have must be there.
func (p gitHubPackage) isContainer() bool {
	kind := p.Type
	if kind == "" {
		kind = p.Ecosystem
	}
	switch strings.ToLower(kind) {
	case "container", "docker":
		return true
	case "":
		return p.Version.Container != nil || p.Version.manifest().Digest != ""
	default:
		return false
	}
}

// repository is the owner's name and the package's, which is not that of the
// source repository.
func (p gitHubPackage) repository() string {
	owner := p.Owner.Login
	if owner == "" {
		owner = p.Namespace
	}
	if r := joined(owner, p.Name); r != "" {
		return r
	}
	path, _, _ := splitReference(p.Version.URL)
	return repository(path)
}

// updated is the later of two times: one of them is often that of long ago, or
// none at all.
func (p gitHubPackage) updated() time.Time {
	of, version := moment(p.UpdatedAt), moment(p.Version.UpdatedAt)
	if version.After(of) {
		return version
	}
	return of
}

// tag is blank for an untagged version. Only without any word about a tag of the
// container, as in 2019, is the version's name the tag.
func (v gitHubVersion) tag() string {
	list := []string{v.Version, v.Name}
	if v.Container != nil && v.Container.Tag != nil {
		list = []string{v.Container.Tag.Name}
	}
	_, last, _ := splitReference(v.URL)
	for _, tag := range append(list, last) {
		if events.ValidTag(tag) {
			return tag
		}
	}
	return ""
}

// manifest is what the version says about its manifest. Its digest is the
// first valid one, for names that are digests come with and without the rest.
func (v gitHubVersion) manifest() gitHubManifest {
	var m gitHubManifest
	if v.Container != nil {
		m = v.Container.Manifest
	}
	for _, s := range []string{v.Name, v.Version, m.Digest} {
		if d, err := events.ParseDigest(s); err == nil {
			m.Digest = string(d)
			return m
		}
	}
	if whole, ok := gitHubWhole(v.Manifest); ok {
		return whole
	}
	m.Digest = ""
	return m
}

// gitHubWhole reads a manifest that was sent as it is, hence with its digest.
func gitHubWhole(text string) (gitHubManifest, bool) {
	var m struct {
		MediaType string `json:"mediaType"`
		Config    struct {
			MediaType string `json:"mediaType"`
		} `json:"config"`
	}
	if decodeMost([]byte(text), &m) != nil || !isManifest(m.MediaType) {
		return gitHubManifest{}, false
	}
	sum := sha256.Sum256([]byte(text))
	whole := gitHubManifest{Digest: "sha256:" + hex.EncodeToString(sum[:]), MediaType: m.MediaType, Size: int64(len(text))}
	whole.Config.MediaType = m.Config.MediaType
	return whole, true
}
