package source

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// Gitea reads the package webhooks of Gitea and Forgejo, as JSON or as a form.
// They name no digest where they name a tag. The headers are GitHub's too, the
// payload is not.
type Gitea struct{}

type giteaPayload struct {
	Action  string          `json:"action"`
	Package json.RawMessage `json:"package"`
	Sender  struct {
		Login string `json:"login"`
	} `json:"sender"`
}

type giteaPackage struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"` // a tag, or the digest of what has none
	Owner   struct {
		Login string `json:"login"`
	} `json:"owner"`
	CreatedAt json.RawMessage `json:"created_at"`
}

// Parse implements Source.
func (Gitea) Parse(header http.Header, body []byte, _ time.Time) (Batch, error) {
	raw, err := payload(header, body)
	if err != nil {
		return Batch{}, err
	}
	var p giteaPayload
	if err := decodeMost(raw, &p); err != nil {
		return Batch{}, fmt.Errorf("decode payload: %w", err)
	}
	if !given(p.Package) {
		return withoutPackage(giteaHeader(header, "Event"))
	}
	var pkg giteaPackage
	if err := decodeMost(p.Package, &pkg); err != nil {
		return Batch{}, fmt.Errorf("decode package: %w", err)
	}
	return single(p.fact(pkg, identity(giteaHeader(header, "Delivery")))), nil
}

// giteaHeader reads a header that each fork writes under its own name.
func giteaHeader(h http.Header, name string) string {
	return cmp.Or(h.Get("X-Gitea-"+name), h.Get("X-Forgejo-"+name), h.Get("X-Gogs-"+name))
}

func (p giteaPayload) fact(pkg giteaPackage, id string) (Fact, Reason) {
	var f Fact
	if !strings.EqualFold(pkg.Type, "container") {
		return f, NotAnImage
	}
	if f.Repository = joined(pkg.Owner.Login, pkg.Name); f.Repository == "" {
		return f, NoRepository
	}
	f.Tag, f.Digest = reference(pkg.Version, "")
	f.Actor = actor(p.Sender.Login)
	f.ID, f.DeliveryID = id, id
	switch p.Action {
	case "created":
		f.OccurredAt = moment(pkg.CreatedAt)
		return f.happened(events.ActionPush, events.ClassUnknown)
	case "deleted": // created_at is no time of this
		return f.happened(events.ActionDelete, "")
	default:
		return f.happened(events.ActionOther, events.ClassUnknown)
	}
}
