package state

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/landwaiter/landwaiter/events"
)

// In a cluster any server that keeps a stream may answer the client's usual
// questions, one too that has yet to hear of what was stored a moment ago: a
// message would reach who then finds no record of what it is about, and takes
// it for gone. So a stream of several servers is asked through its leader,
// which has confirmed all that was ever confirmed.

// errLags is for what a server does not have yet. It goes away by asking again.
var errLags = errors.New("the server that was asked has yet to hear of it")

// question is a request for one message, by NATS ADR-1's STREAM.MSG.GET.
type question struct {
	Sequence uint64 `json:"seq,omitempty"`
	Last     string `json:"last_by_subj,omitempty"`
	Next     string `json:"next_by_subj,omitempty"` // at or behind Sequence
}

// stored is a message as the leader has it.
type stored struct {
	Sequence uint64    `json:"seq"`
	Header   []byte    `json:"hdrs"`
	Data     []byte    `json:"data"`
	At       time.Time `json:"time"`
}

// ask asks the stream's leader; jetstream.ErrMsgNotFound where there is none.
func (s source) ask(ctx context.Context, q question) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	raw, err := json.Marshal(q)
	if err != nil {
		return stored{}, err
	}
	m, err := s.conn.RequestWithContext(ctx, jetstream.DefaultAPIPrefix+"STREAM.MSG.GET."+s.messages.CachedInfo().Config.Name, raw)
	if err != nil {
		return stored{}, err
	}
	var said struct {
		Error   *jetstream.APIError `json:"error"`
		Message stored              `json:"message"`
	}
	switch err := json.Unmarshal(m.Data, &said); {
	case err != nil:
		return stored{}, fmt.Errorf("answer of the stream: %w", err)
	case said.Error == nil:
		return said.Message, nil
	case said.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return stored{}, jetstream.ErrMsgNotFound
	default:
		return stored{}, said.Error
	}
}

// keyForm is the grammar of keys, by NATS ADR-8.
var keyForm = regexp.MustCompile(`^[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*$`)

// read returns what stands under a key; jetstream.ErrKeyNotFound where nothing
// does.
func (t *Table[T]) read(ctx context.Context, key string) ([]byte, uint64, error) {
	if !t.replicated {
		entry, err := t.kv.Get(ctx, key)
		if err != nil {
			return nil, 0, err
		}
		return entry.Value(), entry.Revision(), nil
	}
	if !keyForm.MatchString(key) {
		return nil, 0, jetstream.ErrInvalidKey
	}
	m, err := t.ask(ctx, question{Last: t.subjects + key})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, 0, jetstream.ErrKeyNotFound
	}
	if err != nil {
		return nil, 0, err
	}
	var h nats.Header
	if len(m.Header) > 0 {
		if h, err = nats.DecodeHeadersMsg(m.Header); err != nil {
			return nil, 0, fmt.Errorf("headers: %w", err)
		}
	}
	if removal(h) {
		return nil, 0, jetstream.ErrKeyNotFound
	}
	return m.Data, m.Sequence, nil
}

// info says what there is of an object; jetstream.ErrObjectNotFound where there
// is none.
func (o *Objects) info(ctx context.Context, d events.Digest) (*jetstream.ObjectInfo, error) {
	if !o.replicated {
		return within(ctx, func(ctx context.Context) (*jetstream.ObjectInfo, error) { return o.os.GetInfo(ctx, d.Token()) })
	}
	name := base64.URLEncoding.EncodeToString([]byte(d.Token())) // as ADR-20 has it
	m, err := o.ask(ctx, question{Last: strings.TrimSuffix(o.infos, everyKey) + name})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, jetstream.ErrObjectNotFound
	}
	if err != nil {
		return nil, err
	}
	var info jetstream.ObjectInfo
	if err := json.Unmarshal(m.Data, &info); err != nil {
		return nil, fmt.Errorf("what there is of the object: %w", err)
	}
	if info.Deleted {
		return nil, jetstream.ErrObjectNotFound
	}
	info.ModTime = m.At
	return &info, nil
}
