package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/ingest/internal/source"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// confirm confirms a subscription to a topic that the registry's settings name,
// once Amazon's signature has shown that it is from there. The address is made
// of the topic's name: the one in the message is never called. (Amazon SNS API
// reference, ConfirmSubscription.)
func (r *receiver) confirm(ctx context.Context, e endpoint, c source.Confirmation) error {
	settings := e.registry.Webhook.Auth
	if settings.Type != config.SNSAuth || !slices.Contains(settings.Topics, c.Topic) {
		r.log.Warn("subscription not confirmed: that takes webhook.auth of type sns with its topic",
			zap.String("registry", e.name), zap.String("topic", c.Topic))
		return nil
	}
	base, err := snsHost(c.Topic)
	if err != nil {
		return err
	}
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	query := url.Values{"Action": {"ConfirmSubscription"}, "TopicArn": {c.Topic}, "Token": {c.Token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/?"+query.Encode(), http.NoBody)
	if err != nil {
		return errors.New("confirm subscription: no valid request")
	}
	res, err := r.amazon.Do(req)
	if err != nil {
		return fmt.Errorf("confirm subscription to %s: %w", c.Topic, errors.Unwrap(err)) // without the address, which holds the token
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("confirm subscription to %s: answer %s", c.Topic, res.Status)
	}
	r.log.Info("subscription confirmed", zap.String("registry", e.name), zap.String("topic", c.Topic))
	return nil
}

var topicARN = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]{4,30}):[0-9]{12}:[A-Za-z0-9_.-]{1,256}$`)

// snsHost is where a topic is administered.
func snsHost(topic string) (string, error) {
	parts := topicARN.FindStringSubmatch(topic)
	if parts == nil {
		return "", fmt.Errorf("confirm subscription: %.100q is not the ARN of a topic", topic)
	}
	host := "https://sns." + parts[2] + ".amazonaws.com"
	if parts[1] == "aws-cn" {
		host += ".cn"
	}
	return host, nil
}

// amazon asks Amazon and nobody it points to.
func amazon() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
