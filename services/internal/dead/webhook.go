package dead

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
)

// Webhook is a delivery that was not understood, as it is kept to be read
// again by a later version or under other settings.
type Webhook struct {
	Registry string // configured name
	Source   string // the format that it was not understood as
	// ID names the delivery: what it tells without an id has one made of this,
	// each time that it is read.
	ID         string
	ReceivedAt time.Time
	Header     http.Header // of the request, as far as it may be kept
	Body       []byte
}

// The headers of a kept webhook. They are part of the message and go with it
// when it is replayed.
const (
	headerRegistry = "Landwaiter-Webhook-Registry"
	headerSource   = "Landwaiter-Webhook-Source"
	headerID       = "Landwaiter-Webhook-Id"
	headerReceived = "Landwaiter-Webhook-Received"
	headerEncoding = "Landwaiter-Webhook-Encoding"
	// headerRequest goes before the name of a header of the request.
	headerRequest = "Landwaiter-Webhook-Request-"

	encodingGzip = "gzip"
)

// What keeps a message from being a webhook.
var (
	ErrNotWebhook = errors.New("not a kept webhook")
	ErrTooLarge   = errors.New("the body is over the limit")
)

// Message is the webhook as it is kept. A body over events.MaxData is
// compressed. One that is too large all the same is cut: then it is evidence,
// and its letter is not replayable.
func (w Webhook) Message(subject string) *nats.Msg {
	m := nats.NewMsg(subject)
	for name, values := range w.Header {
		m.Header[headerRequest+name] = values
	}
	m.Header.Set(headerRegistry, w.Registry)
	m.Header.Set(headerSource, w.Source)
	m.Header.Set(headerID, w.ID)
	m.Header.Set(headerReceived, w.ReceivedAt.UTC().Format(time.RFC3339Nano))
	m.Data = w.Body
	if len(m.Data) <= events.MaxData {
		return m
	}
	if m.Data = compress(w.Body); len(m.Data) <= events.MaxData {
		m.Header.Set(headerEncoding, encodingGzip)
		return m
	}
	m.Data = w.Body[:events.MaxData]
	m.Header.Set(bus.HeaderDeadCut, strconv.Itoa(len(w.Body)))
	return m
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // into memory: it cannot fail
	_ = z.Close()
	return b.Bytes()
}

// WebhookRegistry names the registry of a kept webhook; blank: it is none.
func WebhookRegistry(m *nats.Msg) string { return m.Header.Get(headerRegistry) }

// ParseWebhook reads what Message made. A body over limit, in bytes, is
// ErrTooLarge, anything else that is wrong ErrNotWebhook.
func ParseWebhook(m *nats.Msg, limit int64) (Webhook, error) {
	w := Webhook{
		Registry: m.Header.Get(headerRegistry), Source: m.Header.Get(headerSource), ID: m.Header.Get(headerID),
		Header: http.Header{},
	}
	var err error
	if w.ReceivedAt, err = time.Parse(time.RFC3339Nano, m.Header.Get(headerReceived)); err != nil {
		return w, fmt.Errorf("%w: time received: %w", ErrNotWebhook, err)
	}
	if w.Registry == "" || w.ID == "" {
		return w, fmt.Errorf("%w: no registry or no id", ErrNotWebhook)
	}
	for name, values := range m.Header {
		if kept, found := strings.CutPrefix(name, headerRequest); found {
			w.Header[kept] = values
		}
	}
	body, err := openBody(m.Header, m.Data)
	if err == nil {
		w.Body, err = io.ReadAll(io.LimitReader(body, limit+1))
	}
	if err != nil {
		return w, fmt.Errorf("%w: body: %w", ErrNotWebhook, err)
	}
	if int64(len(w.Body)) > limit {
		return w, fmt.Errorf("%w of %d bytes", ErrTooLarge, limit)
	}
	return w, nil
}

func openBody(h nats.Header, data []byte) (io.Reader, error) {
	switch encoding := h.Get(headerEncoding); encoding {
	case "":
		return bytes.NewReader(data), nil
	case encodingGzip:
		return gzip.NewReader(bytes.NewReader(data))
	default:
		return nil, fmt.Errorf("encoding %q is not known", encoding)
	}
}

// Read gives up to limit bytes of what the letter holds, a webhook's body
// uncompressed, and whether that is all.
func (l Letter) Read(limit int64) (data []byte, whole bool) {
	body, err := openBody(l.Header, l.Data)
	if err != nil {
		body = bytes.NewReader(l.Data)
	}
	data, err = io.ReadAll(io.LimitReader(body, limit+1))
	whole = err == nil && int64(len(data)) <= limit && l.Header.Get(bus.HeaderDeadCut) == ""
	return data[:min(int64(len(data)), limit)], whole
}
