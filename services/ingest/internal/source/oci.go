package source

import (
	"net/http"
	"time"
)

// OCI reads what a registry of no particular type sends, told apart by its
// headers: Gitea's and Forgejo's webhooks, CloudEvents, and the notifications
// of Distribution, which most others are built on.
type OCI struct{}

// Parse implements Source.
func (OCI) Parse(h http.Header, body []byte, at time.Time) (Batch, error) {
	switch {
	case h.Get("X-Gitea-Event") != "", h.Get("X-Forgejo-Event") != "":
		return Gitea{}.Parse(h, body, at)
	case isCloudEvents(h):
		return CloudEvents{}.Parse(h, body, at)
	default:
		return Distribution{}.Parse(h, body, at)
	}
}
