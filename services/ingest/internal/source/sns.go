package source

import (
	"encoding/json"
	"net/http"
)

// snsMessage is what Amazon SNS puts around what was published, unless the
// subscription has raw message delivery on.
type snsMessage struct {
	Type      string `json:"Type"`
	MessageID string `json:"MessageId"`
	TopicArn  string `json:"TopicArn"`
	Message   string `json:"Message"`
	Token     string `json:"Token"` // of a confirmation
}

// unwrapSNS takes an SNS envelope off, where there is one. The id is that of
// the message, the same each time SNS tries. What a subscription's beginning or
// end brings is a handshake; the addresses in it are never called.
func unwrapSNS(h http.Header, body []byte) (inner []byte, id string, handshake *Batch) {
	var m snsMessage
	if json.Unmarshal(body, &m) != nil || m.TopicArn == "" {
		m = snsMessage{}
	}
	kind := m.Type
	if kind == "" {
		kind = h.Get("X-Amz-Sns-Message-Type")
	}
	switch {
	case kind == "SubscriptionConfirmation":
		return nil, "", &Batch{Ignored: []Reason{Handshake}, Confirm: m.confirmation()}
	case kind == "UnsubscribeConfirmation":
		return nil, "", &Batch{Ignored: []Reason{Handshake}}
	case m.Type == "Notification":
		return []byte(m.Message), m.MessageID, nil
	default:
		return body, h.Get("X-Amz-Sns-Message-Id"), nil
	}
}

func (m snsMessage) confirmation() *Confirmation {
	if m.TopicArn == "" || m.Token == "" {
		return nil
	}
	return &Confirmation{Topic: m.TopicArn, Token: m.Token}
}
