package registry

import (
	"context"
	"net/url"
)

// newJFrog lists what Artifactory's docker repositories have:
// https://jfrog.com/help/r/jfrog-rest-apis/list-docker-repositories
func newJFrog(c *Client) vendor {
	a := newAPI(c, c.base, c.basic)
	return &keyed{
		api: a, client: c,
		catalogOf: func(key string) string { return "/artifactory/api/docker/" + key + "/v2/_catalog" },
		// https://jfrog.com/help/r/jfrog-rest-apis/get-repositories
		keys: func(ctx context.Context) ([]string, error) {
			var answer []struct {
				Key string `json:"key"`
			}
			_, err := a.get(ctx, target{op: "list docker repositories"}, "/artifactory/api/repositories", url.Values{"packageType": {"docker"}}, &answer)
			if err != nil {
				return nil, err
			}
			keys := make([]string, 0, len(answer))
			for _, r := range answer {
				keys = append(keys, r.Key)
			}
			return keys, tooMany(keys)
		},
	}
}
