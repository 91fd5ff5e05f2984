package hook

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Setup is what to do at a registry so that it sends its webhooks.
type Setup struct {
	// URL is the address to enter. It ends in the secret where that is how
	// senders prove who they are.
	URL   string `json:"url"`
	Lines Lines  `json:"setup"`
	// Headers must come with each delivery, by name; none where nothing is
	// proven by them.
	Headers map[string]string `json:"headers,omitempty"`
	Signing *Signing          `json:"signing,omitempty"` // nil: the sender does not sign
	// Notes are what else to know, and what will not work as it is configured.
	Notes []string `json:"notes"`
}

// Lines are what to enter or to paste.
type Lines struct {
	Where  string `json:"where"` // Text belongs, in words
	Format Format `json:"format"`
	// Text ends in a line break. Words in capitals stand for what only the
	// registry's operator knows.
	Text string `json:"text"`
}

// Signing is how deliveries are signed that prove by it who sends them.
type Signing struct {
	URL       string `json:"url"`       // in place of the one that ends in the secret
	Header    string `json:"header"`    // that holds the signature
	Algorithm string `json:"algorithm"` // hmac-sha256 or hmac-sha1
	// Secret is what to sign with; blank: what Setup.URL ends in.
	Secret string `json:"secret,omitempty"`
}

// Format is what Text is written in.
type Format string

// The formats.
const (
	YAML  Format = "yaml"
	JSON  Format = "json"
	Ruby  Format = "ruby"
	Shell Format = "shell"
	Text  Format = "text" // steps, for people
)

// NewSetup tells what to do at r, whose address is as URL made it.
func NewSetup(r config.Registry, address string) (Setup, error) {
	open, end, found := cutLast(address)
	secret, err := url.PathUnescape(end)
	u, badURL := url.Parse(address)
	if err != nil || badURL != nil || !found || secret == "" {
		return Setup{}, errors.New("webhook setup: the address does not end in a secret")
	}
	s := Setup{URL: address, Notes: []string{}}
	from := senderOf(r.Kind())
	switch a := r.Webhook.Auth; a.Type {
	case config.PathAuth:
	case config.AnyAuth:
		if from.signature != "" {
			s.Signing = &Signing{URL: open, Header: from.signature, Algorithm: from.algorithm}
		}
	default:
		s.URL = open
		s.Headers = headersOf(a, secret)
		if a.Type == config.HMACAuth {
			s.Signing = &Signing{URL: open, Header: from.signature, Algorithm: from.algorithm, Secret: secret}
			if from.signature == "" {
				s.Signing.Header, s.Signing.Algorithm = githubSignature, hmacSHA256
			}
		}
	}
	s.Notes = append(s.Notes, reachNotes(r, u)...)
	s.Notes = append(s.Notes, proofNotes(r, from)...)
	if err := s.write(r, address, secret); err != nil {
		return Setup{}, fmt.Errorf("webhook setup of registry %s: %w", r.Name, err)
	}
	return s, nil
}

// cutLast takes the last part off an address.
func cutLast(address string) (before, last string, found bool) {
	i := strings.LastIndexByte(address, '/')
	if i < 0 {
		return address, "", false
	}
	return address[:i], address[i+1:], true
}
