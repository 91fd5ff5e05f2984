package ingest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/ingest/internal/source"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// wire answers requests in Amazon's place and notes where they went.
type wire struct {
	asked  []string
	status int
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.asked = append(w.asked, req.URL.String())
	if w.status == 0 {
		return nil, errors.New("no route")
	}
	return &http.Response{StatusCode: w.status, Status: http.StatusText(w.status), Body: io.NopCloser(strings.NewReader("<ok/>")), Request: req}, nil
}

func TestConfirmSubscription(t *testing.T) {
	const topic, china = "arn:aws:sns:eu-west-1:123456789012:pushes", "arn:aws-cn:sns:cn-north-1:123456789012:pushes"
	sns := config.WebhookAuth{Type: config.SNSAuth, Topics: []string{topic, china, "arn:aws:sns:evil.example/:123456789012:x"}}
	for _, tt := range []struct {
		name   string
		auth   config.WebhookAuth
		topic  string
		status int
		asked  string
		fails  bool
	}{
		{"a topic that is named", sns, topic, 200, "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t%26k&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3Apushes", false},
		{"in China", sns, china, 200, "https://sns.cn-north-1.amazonaws.com.cn/?Action=ConfirmSubscription&Token=t%26k&TopicArn=arn%3Aaws-cn%3Asns%3Acn-north-1%3A123456789012%3Apushes", false},
		{"another topic", sns, "arn:aws:sns:eu-west-1:123456789012:other", 200, "", false},
		{"nothing is signed", config.WebhookAuth{}, topic, 200, "", false},
		{"not a topic", sns, "arn:aws:sns:evil.example/:123456789012:x", 200, "", true},
		{"refused", sns, topic, 403, "https://sns.eu-west-1.amazonaws.com/", true},
		{"out of reach", sns, topic, 0, "https://sns.eu-west-1.amazonaws.com/", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &wire{status: tt.status}
			client := amazon()
			client.Transport = w
			r := &receiver{log: zap.NewNop(), amazon: client}
			e := endpoint{name: "ecr", registry: config.Registry{Name: "ecr", Webhook: config.Webhook{Auth: tt.auth}}}
			err := r.confirm(t.Context(), e, source.Confirmation{Topic: tt.topic, Token: "t&k"})
			if (err != nil) != tt.fails {
				t.Errorf("error %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "t%26k") {
				t.Errorf("the error holds the token: %v", err)
			}
			if got := strings.Join(w.asked, " "); !strings.HasPrefix(got, tt.asked) || (tt.asked == "") != (got == "") {
				t.Errorf("asked %q, want %q", got, tt.asked)
			}
		})
	}
}
