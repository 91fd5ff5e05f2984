package source

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/limit"
)

// sent is a source behind what holds for every format: how a body may be
// wrapped on its way, where Docker Hub's official images are, and that what
// cannot be used is kept.
type sent struct {
	Source
	host string // of the registry
}

// Parse implements Source.
func (s sent) Parse(h http.Header, body []byte, at time.Time) (Batch, error) {
	text, err := unwrapped(body)
	if err != nil {
		return Batch{}, err
	}
	if len(bytes.TrimSpace(text)) == 0 && h.Get("Ce-Type") == "" { // somebody looks whether we are there
		return Batch{Ignored: []Reason{Ping}}, nil
	}
	b, err := s.Source.Parse(h, text, at)
	if err != nil {
		return Batch{}, err
	}
	if err := b.useless(); err != nil {
		return Batch{}, err
	}
	if s.host == config.HubHost {
		for i := range b.Facts {
			b.Facts[i].Repository = hubRepository(b.Facts[i].Repository)
		}
	}
	return b, nil
}

// nameless is a reason not to use what tells of an image, but not of which.
func nameless(r Reason) bool { return r == NoRepository || r == NoReference }

// useless is an error where that is all there is. Such a delivery is not ignored
// but kept: a later version may know better.
func (b *Batch) useless() error {
	if len(b.Ignored) == 0 || len(b.Facts)+len(b.Odd) > 0 || b.Answer != nil || !all(b.Ignored, nameless) {
		return nil
	}
	return errors.New(string(b.Ignored[0]))
}

// mostUnpacked bounds what a packed body becomes, in bytes. Hardly any sender
// packs, and what a body takes is reckoned by its size as it came.
const mostUnpacked = 2 << 20

// unwrapped is the text of a body: without the mark that some systems put
// before UTF-8, and unpacked. No text begins as gzip does, so nothing need be
// told by a header, of which proxies are careless.
func unwrapped(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return bytes.TrimPrefix(body, []byte("\ufeff")), nil
	}
	packed, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("unpack body: %w", err)
	}
	text, err := limit.ReadAll(packed, mostUnpacked)
	if err != nil {
		return nil, fmt.Errorf("unpack body: %w", err)
	}
	return bytes.TrimPrefix(text, []byte("\ufeff")), nil
}
