package registry

import (
	"context"
	"time"
)

// acr lists tags with what they lead to and when they were last set:
// https://learn.microsoft.com/rest/api/containerregistry/ (data plane)
type acr struct{ client *Client }

func (a *acr) catalog(ctx context.Context, _ scope, at string, n int) ([]string, string, error) {
	var answer struct {
		Repositories []string `json:"repositories"`
	}
	next, err := a.client.list(ctx, target{op: "list repositories"}, "/acr/v1/_catalog", at, n, &answer)
	return answer.Repositories, next, err
}

func (a *acr) tags(ctx context.Context, repo, at string, n int) ([]Tag, string, error) {
	var answer struct {
		Tags []struct {
			Name    string    `json:"name"`
			Digest  string    `json:"digest"`
			Updated time.Time `json:"lastUpdateTime"`
		} `json:"tags"`
	}
	t := target{op: "list tags", repo: repo, access: "metadata_read"}
	next, err := a.client.list(ctx, t, "/acr/v1/"+repo+"/_tags", at, n, &answer)
	if err != nil {
		return nil, "", err
	}
	tags := make([]Tag, 0, len(answer.Tags))
	for _, t := range answer.Tags {
		tags = append(tags, Tag{Name: t.Name, Digest: t.Digest, Pushed: t.Updated})
	}
	return tags, next, nil
}
