package registry

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// Class says what a manifest describes.
type Class string

// The classes. Only an Image is ever scanned; an Index leads to images.
const (
	Image     Class = "image"
	Index     Class = "index"
	Chart     Class = "chart"     // a Helm chart
	Signature Class = "signature" // a signature or attestation
	Referrer  Class = "referrer"  // anything else that says something about an image
	Unknown   Class = "unknown"   // Manifest.Reason says why
)

const (
	maxLayers   = 1000 // Docker's own limit is 127
	maxChildren = 1000
)

// Manifest is a manifest taken apart.
type Manifest struct {
	Class        Class
	Reason       string // why the class is Unknown
	MediaType    string
	ArtifactType string
	Config       Descriptor   // zero unless there is one
	Layers       []Descriptor // lowest first
	Children     []Child      // of an index
	Subject      string       // digest of what a referrer is about
}

// Child is an entry of an index.
type Child struct {
	Descriptor
	Platform    verdict.Platform
	OSVersion   string // of Windows images
	Attestation bool   // about another entry, not an image to run
	Annotations map[string]string
}

type descriptorDoc struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls"`
	Annotations  map[string]string `json:"annotations"`
	Platform     *struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
		OSVersion    string `json:"os.version"`
	} `json:"platform"`
}

type manifestDoc struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     string          `json:"mediaType"`
	ArtifactType  string          `json:"artifactType"`
	Config        *descriptorDoc  `json:"config"`
	Layers        []descriptorDoc `json:"layers"`
	Manifests     []descriptorDoc `json:"manifests"`
	Subject       *descriptorDoc  `json:"subject"`
	FSLayers      json.RawMessage `json:"fsLayers"`
}

// Classify reads a manifest. mediaType is the registry's word, used where the
// manifest itself does not say. The error is an ErrInvalid or ErrTooLarge;
// what is well-formed but of no known kind is Unknown, with a reason.
func Classify(raw []byte, mediaType string) (Manifest, error) {
	if len(raw) > maxManifest {
		return Manifest{}, fmt.Errorf("manifest: %w: %d bytes", ErrTooLarge, len(raw))
	}
	var doc manifestDoc
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w: %w", ErrInvalid, err)
	}
	if doc.MediaType != "" {
		mediaType = doc.MediaType
	}
	m := Manifest{MediaType: mediaType, ArtifactType: doc.ArtifactType}
	if isSchema1(doc, mediaType) {
		m.Class, m.Reason = Unknown, "Docker schema 1 manifest, given up in 2016: pull the image and push it again"
		return m, nil
	}
	if len(doc.Manifests) > 0 && (doc.Config != nil || len(doc.Layers) > 0) {
		// Two readers would see two images: which one is scanned must not be a guess.
		return Manifest{}, fmt.Errorf("manifest: %w: both an index and an image", ErrInvalid)
	}
	if len(doc.Layers) > maxLayers || len(doc.Manifests) > maxChildren {
		return Manifest{}, fmt.Errorf("manifest: %w: %d layers, %d entries", ErrTooLarge, len(doc.Layers), len(doc.Manifests))
	}
	if err := m.fill(doc); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	m.Class, m.Reason = classOf(doc, mediaType)
	return m, nil
}

func (m *Manifest) fill(doc manifestDoc) error {
	var err error
	if doc.Config != nil {
		if m.Config, err = doc.Config.descriptor(); err != nil {
			return fmt.Errorf("config: %w", err)
		}
	}
	for i, l := range doc.Layers {
		d, err := l.descriptor()
		if err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
		m.Layers = append(m.Layers, d)
	}
	for i, e := range doc.Manifests {
		child, err := e.child()
		if err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		m.Children = append(m.Children, child)
	}
	if doc.Subject != nil {
		subject, err := doc.Subject.descriptor()
		if err != nil {
			return fmt.Errorf("subject: %w", err)
		}
		m.Subject = subject.Digest
	}
	return nil
}

func (d descriptorDoc) descriptor() (Descriptor, error) {
	if !IsDigest(d.Digest) {
		return Descriptor{}, fmt.Errorf("%w: digest %q", ErrInvalid, cut(d.Digest))
	}
	if d.Size < 0 {
		return Descriptor{}, fmt.Errorf("%w: size %d", ErrInvalid, d.Size)
	}
	foreign := len(d.URLs) > 0 || strings.Contains(d.MediaType, ".foreign.") || strings.Contains(d.MediaType, ".nondistributable.")
	return Descriptor{Digest: d.Digest, MediaType: d.MediaType, Size: d.Size, Foreign: foreign}, nil
}

func (d descriptorDoc) child() (Child, error) {
	desc, err := d.descriptor()
	if err != nil {
		return Child{}, err
	}
	c := Child{Descriptor: desc, Annotations: d.Annotations}
	if p := d.Platform; p != nil {
		c.Platform = verdict.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}
		c.OSVersion = p.OSVersion
	}
	c.Attestation = d.Annotations["vnd.docker.reference.type"] == "attestation-manifest" ||
		c.Platform.OS == "unknown" && c.Platform.Architecture == "unknown"
	return c, nil
}

func isSchema1(doc manifestDoc, mediaType string) bool {
	return strings.HasPrefix(mediaType, "application/vnd.docker.distribution.manifest.v1+") ||
		doc.SchemaVersion == 1 || len(doc.FSLayers) > 0
}
