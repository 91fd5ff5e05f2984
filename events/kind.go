package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is an event's name, such as image.pushed.
type Kind string

// The kinds, by stream.
const (
	ImagePushed       Kind = "image.pushed"
	ImageDeleted      Kind = "image.deleted"
	ImagePulled       Kind = "image.pulled"
	LayerPushed       Kind = "layer.pushed"
	RepositoryCreated Kind = "repository.created"
	RepositoryUpdated Kind = "repository.updated"
	RepositoryDeleted Kind = "repository.deleted"
	RegistryOther     Kind = "registry.other"

	KindImageRequested   Kind = "image.requested"
	KindSweepRequested   Kind = "sweep.requested"
	KindScanRequested    Kind = "scan.requested"
	KindVerdictRequested Kind = "verdict.requested"

	ScanQueued      Kind = "scan.queued"
	ScanStarted     Kind = "scan.started"
	ScanInventoried Kind = "scan.inventoried"
	KindCompleted   Kind = "scan.completed"
	ScanFailed      Kind = "scan.failed"
	ScanCancelled   Kind = "scan.cancelled"
	KindFindings    Kind = "findings.changed"
	ImageChanged    Kind = "image.changed"
	ImageGone       Kind = "image.gone"
	ImageExpired    Kind = "image.expired"
	SweepStarted    Kind = "sweep.started"
	SweepCompleted  Kind = "sweep.completed"
	SweepFailed     Kind = "sweep.failed"
	SweepCancelled  Kind = "sweep.cancelled"
	KindAdvisories  Kind = "advisories.updated"
)

const typePrefix, typeSuffix = "dev.landwaiter.", ".v1"

// Type is the CloudEvents type of the kind.
func (k Kind) Type() string { return typePrefix + string(k) + typeSuffix }

// SchemaFile is the file in schemas/ that describes the kind's data.
func (k Kind) SchemaFile() string { return k.shape().schema }

// ErrUnknownType is what Decode answers for a type this version does not know.
var ErrUnknownType = errors.New("unknown event type")

func kindOfType(t string) (Kind, error) {
	k := Kind(strings.TrimSuffix(strings.TrimPrefix(t, typePrefix), typeSuffix))
	if k.shape().stream == "" || k.Type() != t {
		return "", fmt.Errorf("%w %q", ErrUnknownType, clip(t))
	}
	return k, nil
}

// shape is how a kind's data looks and where it travels.
type shape struct {
	stream StreamName
	prefix string // subject's first token after the installation's prefix
	named  bool   // whether the event's name is in the subject
	schema string
	decode func(Kind, []byte) (Data, error)
}

// Kinds lists every kind, by name.
func Kinds() []Kind {
	kinds := []Kind{
		ImagePushed, ImageDeleted, ImagePulled, LayerPushed,
		RepositoryCreated, RepositoryUpdated, RepositoryDeleted, RegistryOther,
		KindImageRequested, KindSweepRequested, KindScanRequested, KindVerdictRequested,
		ScanQueued, ScanStarted, ScanInventoried, KindCompleted, ScanFailed, ScanCancelled, KindFindings,
		ImageChanged, ImageGone, ImageExpired,
		SweepStarted, SweepCompleted, SweepFailed, SweepCancelled, KindAdvisories,
	}
	slices.Sort(kinds)
	return kinds
}

// shape is the table of all kinds: a new event is a line here and in Kinds, a
// struct and a schema. A kind that is not in it has no stream. It is a switch
// and no map because every event asks it several times.
func (k Kind) shape() shape {
	switch k {
	case ImagePushed, ImageDeleted, ImagePulled, LayerPushed,
		RepositoryCreated, RepositoryUpdated, RepositoryDeleted, RegistryOther:
		return shape{Registry, "registry", true, "registry-event.json", decodeRegistryEvent}
	case KindImageRequested:
		return shape{Plans, "plan", false, "image-requested.json", decodeAs[ImageRequested]}
	case KindSweepRequested:
		return shape{Sweeps, "sweep", false, "sweep-requested.json", decodeAs[SweepRequested]}
	case KindScanRequested:
		return shape{Scans, "scan", false, "scan-requested.json", decodeAs[ScanRequested]}
	case KindVerdictRequested:
		return shape{Rematch, "rematch", false, "verdict-requested.json", decodeAs[VerdictRequested]}
	case ScanQueued, ScanStarted, ScanInventoried, ScanFailed, ScanCancelled:
		return shape{Results, "result", true, "scan-event.json", decodeScanEvent}
	case KindCompleted:
		return shape{Results, "result", true, "scan-completed.json", decodeAs[ScanCompleted]}
	case KindFindings:
		return shape{Results, "result", true, "findings-changed.json", decodeAs[FindingsChanged]}
	case ImageChanged, ImageGone, ImageExpired:
		return shape{Results, "result", true, "image-event.json", decodeImageEvent}
	case SweepStarted, SweepCompleted, SweepFailed, SweepCancelled:
		return shape{Results, "result", true, "sweep-event.json", decodeSweepEvent}
	case KindAdvisories:
		return shape{Results, "result", true, "advisories-updated.json", decodeAs[AdvisoriesUpdated]}
	default:
		return shape{}
	}
}

func decodeAs[T Data](_ Kind, raw []byte) (Data, error) {
	var d T
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("decode data: %w", err)
	}
	return d, d.validate()
}
