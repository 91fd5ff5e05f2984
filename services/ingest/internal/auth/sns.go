package auth

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // signature version 1, the default of topics
	_ "crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

const (
	messageAge    = time.Hour       // how long SNS tries at most to deliver a message
	messageAhead  = 5 * time.Minute // how far clocks may differ
	messageFields = 64              // members of the body; SNS sends about ten
)

// notifications is the proof by the signature of Amazon SNS, for messages of
// the accepted topics.
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
type notifications struct {
	hosts        map[string]string // by topic: where its region publishes certificates
	certificates *certificates
	now          func() time.Time
}

func newNotifications(a config.WebhookAuth, o Options) (proof, error) {
	if len(a.Topics) == 0 {
		return nil, errors.New("topics are missing: any topic of anybody would do")
	}
	hosts := make(map[string]string, len(a.Topics))
	for _, topic := range a.Topics {
		host, err := hostOfTopic(topic)
		if err != nil {
			return nil, err
		}
		hosts[topic] = host
	}
	return &notifications{hosts: hosts, certificates: newCertificates(o), now: o.Now}, nil
}

var topicARN = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):sns:([a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)

// hostOfTopic is the endpoint of the topic's region. The topic's form makes
// sure that it leads nowhere else.
func hostOfTopic(arn string) (string, error) {
	m := topicARN.FindStringSubmatch(arn)
	if m == nil {
		return "", fmt.Errorf("topic %q is not a topic's ARN", arn)
	}
	host := "sns." + m[2] + ".amazonaws.com"
	if m[1] == "aws-cn" {
		host += ".cn"
	}
	return host, nil
}

// early refuses raw delivery, which is not signed.
func (n *notifications) early(req *http.Request, _ string) Decision {
	if strings.EqualFold(req.Header.Get("X-Amz-Sns-Rawdelivery"), "true") {
		return Refused
	}
	return NeedsBody
}

func (n *notifications) body(req *http.Request, body []byte) error {
	m, err := parseMessage(body)
	if err != nil {
		return fmt.Errorf("SNS message: %w", err)
	}
	host, ok := n.hosts[m["TopicArn"]]
	if !ok {
		return errors.New("SNS message: its topic is none of the accepted")
	}
	if err := n.timely(m["Timestamp"]); err != nil {
		return fmt.Errorf("SNS message: %w", err)
	}
	if err := n.verify(req, m, host); err != nil {
		return fmt.Errorf("SNS message: %w", err)
	}
	return nil
}

func (n *notifications) timely(timestamp string) error {
	at, err := time.Parse(time.RFC3339, timestamp)
	if err != nil {
		return errors.New("its time is not understood")
	}
	if age := n.now().Sub(at); age > messageAge || age < -messageAhead {
		return errors.New("it is too old, or from the future")
	}
	return nil
}

func (n *notifications) verify(req *http.Request, m message, host string) error {
	var algorithm crypto.Hash
	switch m["SignatureVersion"] {
	case "1":
		algorithm = crypto.SHA1
	case "2":
		algorithm = crypto.SHA256
	default:
		return errors.New("its version of signature is not known")
	}
	mac, err := base64.StdEncoding.Strict().DecodeString(m["Signature"])
	if err != nil || len(mac) == 0 {
		return errors.New("it has no signature")
	}
	signed, err := m.signed()
	if err != nil {
		return err
	}
	key, err := n.certificates.key(req.Context(), m["SigningCertURL"], host)
	if err != nil {
		return err
	}
	h := algorithm.New()
	_, _ = io.WriteString(h, signed) // a hash's Write never fails
	if rsa.VerifyPKCS1v15(key, algorithm, h.Sum(nil), mac) != nil {
		return errors.New("its signature is wrong")
	}
	return nil
}

// message is what SNS sends: its members by name, those that are not strings
// left out.
type message map[string]string

// parseMessage reads a message. Names must be unique, whatever their case: of
// two alike this reader and the next could choose differently, and only one is
// signed.
func parseMessage(body []byte) (message, error) {
	members, err := readMembers(body)
	if err != nil {
		return nil, err
	}
	m := make(message)
	for _, name := range []string{
		"Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "Token", "SubscribeURL",
		"Signature", "SignatureVersion", "SigningCertURL",
	} {
		var value *string
		if raw, ok := members[name]; ok && json.Unmarshal(raw, &value) != nil {
			return nil, fmt.Errorf("%s is not a string", name)
		}
		if value != nil {
			m[name] = *value
		}
	}
	return m, nil
}

var errNotMessage = errors.New("the body is not one JSON object")

func readMembers(body []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotMessage
	}
	members := make(map[string]json.RawMessage)
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errNotMessage
		}
		for other := range members {
			if strings.EqualFold(name, other) {
				return nil, errors.New("it names a member twice")
			}
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, errNotMessage
		}
		if members[name] = value; len(members) > messageFields {
			return nil, errors.New("it has too many members")
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errNotMessage
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotMessage
	}
	return members, nil
}

// signed is the text under the signature: names and values of the members that
// count, a line each. Only Message may have several lines; if others could, one
// text would stand for several messages.
func (m message) signed() (string, error) {
	var names []string
	switch m["Type"] {
	case "Notification":
		names = []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	case "SubscriptionConfirmation", "UnsubscribeConfirmation":
		names = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	default:
		return "", errors.New("its type is not known")
	}
	var b strings.Builder
	for _, name := range names {
		value, ok := m[name]
		switch {
		case !ok && name == "Subject":
			continue
		case !ok:
			return "", fmt.Errorf("%s is missing", name)
		case name != "Message" && strings.ContainsAny(value, "\r\n"):
			return "", fmt.Errorf("%s has more than one line", name)
		}
		b.WriteString(name + "\n" + value + "\n")
	}
	return b.String(), nil
}
