package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// ECR reads what Amazon EventBridge tells of ECR: the event itself, inside an
// SNS notification, or transformed into a CloudEvent.
type ECR struct {
	// Host is the registry's pull host. Where it is one of ECR's own, events of
	// other accounts and regions, which a bus may well carry, are ignored.
	Host string
}

type ecrEvent struct {
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Account    string          `json:"account"`
	Region     string          `json:"region"`
	Time       json.RawMessage `json:"time"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// ecrDetail is what happened. Each kind of event has some of it.
type ecrDetail struct {
	ActionType string   `json:"action-type"`
	Result     string   `json:"result"`
	SyncStatus string   `json:"sync-status"`
	Repository string   `json:"repository-name"`
	Digest     string   `json:"image-digest"`
	Tag        string   `json:"image-tag"`
	Tags       []string `json:"image-tags"`
	Manifest   string   `json:"manifest-media-type"`
	Artifact   string   `json:"artifact-media-type"`
	Request    struct { // of CloudTrail
		Repository string `json:"repositoryName"`
	} `json:"requestParameters"`
}

const ecrSuccess = "SUCCESS"

// Parse implements Source.
func (s ECR) Parse(h http.Header, body []byte, _ time.Time) (Batch, error) {
	body, messageID, handshake := unwrapSNS(h, body)
	if handshake != nil {
		return *handshake, nil
	}
	if h.Get("Ce-Type") != "" {
		return s.cloudEvents(h, body)
	}
	list, err := members(body)
	if err != nil {
		return Batch{}, err
	}
	if len(list) > 1 {
		messageID = "" // it is not one event's
	}
	return each(list, nil, func(raw json.RawMessage) []byte { return raw }, func(raw json.RawMessage) (Batch, error) {
		var e ecrEvent
		if err := decodeMost(raw, &e); err != nil {
			return Batch{}, fmt.Errorf("decode event: %w", err)
		}
		if e.DetailType == "" {
			return s.cloudEvents(nil, raw)
		}
		if e.ID == "" {
			e.ID = messageID
		}
		return s.event(e)
	})
}

func (s ECR) event(e ecrEvent) (Batch, error) {
	var d ecrDetail
	if err := decodeMost(e.Detail, &d); err != nil {
		return Batch{}, fmt.Errorf("decode detail of %s: %w", e.ID, err)
	}
	var f Fact
	f.DeliveryID = identity(e.ID)
	f.ID = f.DeliveryID
	f.OccurredAt = moment(e.Time)
	f.Repository = d.repository(e.Resources)
	if len(d.Tags) == 1 && d.Tag == "" {
		d.Tag = d.Tags[0]
	}
	f.Tag, f.Digest = reference(d.Tag, d.Digest)
	f.MediaType = d.mediaType()
	if s.isOther(e.Account, e.Region) {
		return single(f, OtherRegistry), nil
	}
	return single(d.fact(f, e.DetailType)), nil
}

// fact is what a kind of event means.
func (d ecrDetail) fact(f Fact, kind string) (Fact, Reason) {
	class := d.class()
	action, result := events.ActionOther, d.Result
	switch kind {
	case "ECR Image Action":
		action = ecrAction(d.ActionType)
	case "ECR Pull Through Cache Action": // new content, though nobody pushed it
		action, result = events.ActionPush, d.SyncStatus
	case "ECR Replication Action": // into this account and region
		action = events.ActionPush
	case "ECR Referrer Action":
		class = events.ClassReferrer
	}
	if result != ecrSuccess && (result != "" || action != events.ActionOther) {
		return f, NotSuccessful
	}
	return f.happened(action, class)
}

func ecrAction(word string) events.Action {
	switch strings.ToUpper(word) {
	case "PUSH":
		return events.ActionPush
	case "DELETE":
		return events.ActionDelete
	default: // such as UPDATE_STORAGE_CLASS
		return events.ActionOther
	}
}

// repository is where it happened: a name, or an ARN in its place, or the one
// among the event's resources.
func (d ecrDetail) repository(resources []string) string {
	for _, name := range append([]string{d.Repository, d.Request.Repository}, resources...) {
		if _, _, inside := ecrResource(name); inside != "" {
			return repository(inside)
		}
		if r := repository(name); r != "" {
			return r
		}
	}
	return ""
}

// mediaType is the manifest's. What is no manifest that an image can have is
// told better by what it holds.
func (d ecrDetail) mediaType() string {
	manifest := mediaType(d.Manifest)
	if artifact := mediaType(d.Artifact); artifact != "" && (!isManifest(manifest) || isArtifact(manifest)) {
		return artifact
	}
	return manifest
}

// class is what the types prove. A manifest of a type that no image has is of
// something beside one.
func (d ecrDetail) class() events.Class {
	manifest, artifact := mediaType(d.Manifest), classOfArtifact(mediaType(d.Artifact))
	switch {
	case artifact != events.ClassUnknown:
		return artifact
	case isIndex(manifest):
		return events.ClassIndex
	case isArtifact(manifest), manifest != "" && !isManifest(manifest):
		return events.ClassReferrer
	default:
		return events.ClassUnknown
	}
}

// ecrTransformed is the data of the CloudEvents that EventBridge's input
// transformers are known to make.
type ecrTransformed struct {
	Repository string `json:"repositoryName"`
	Digest     string `json:"imageDigest"`
	Tag        string `json:"imageTag"`
	Registry   string `json:"registryId"`
	Result     string `json:"result"`
	Manifest   string `json:"manifestMediaType"`
	Artifact   string `json:"artifactMediaType"`
}

func (s ECR) cloudEvents(h http.Header, body []byte) (Batch, error) {
	list, odd, err := cloudEvents(h, body)
	if err != nil {
		return Batch{}, err
	}
	return eachCloudEvent(list, odd, s.transformed)
}

func (s ECR) transformed(e cloudEvent) (Batch, error) {
	var t ecrTransformed
	if err := decodeMost(e.content(), &t); err != nil {
		return Batch{}, fmt.Errorf("decode data of %s: %w", e.Type, err)
	}
	region, account, name := ecrResource(e.Source)
	f := e.fact()
	f.Repository = repository(t.Repository)
	if f.Repository == "" {
		f.Repository = repository(name)
	}
	kind, known := strings.CutPrefix(e.Type, "com.amazon.ecr.image.")
	if f.Repository == "" && !known {
		return Batch{}, errors.New("decode event: neither ECR's nor one with a repository")
	}
	f.Tag, f.Digest = reference(t.Tag, t.Digest)
	f = f.ofSubject(e.Subject)
	d := ecrDetail{Manifest: t.Manifest, Artifact: t.Artifact}
	f.MediaType = d.mediaType()
	if account == "" {
		account = t.Registry
	}
	switch {
	case s.isOther(account, region):
		return single(f, OtherRegistry), nil
	case t.Result != "" && t.Result != ecrSuccess:
		return single(f, NotSuccessful), nil
	default:
		return single(f.happened(ecrAction(kind), d.class())), nil
	}
}

// ecrResource reads the name of a repository as AWS writes it, an ARN or a URN:
// arn:aws:ecr:region:account:repository/name.
func ecrResource(s string) (region, account, name string) {
	const parts = 6
	p := strings.SplitN(s, ":", parts)
	if len(p) < parts || p[2] != "ecr" {
		return "", "", ""
	}
	name, _ = strings.CutPrefix(p[5], "repository/")
	return p[3], p[4], name
}

// ecrHost is ECR's own hosts: also those of China, of FIPS and of both IP versions.
var ecrHost = regexp.MustCompile(`^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)$`)

// isOther reports whether an account and a region, as far as they are known,
// are not the registry's.
func (s ECR) isOther(account, region string) bool {
	own := ecrHost.FindStringSubmatch(s.Host)
	if own == nil {
		return false
	}
	return account != "" && account != own[1] || region != "" && region != own[2]
}
