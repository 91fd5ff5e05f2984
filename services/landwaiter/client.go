package landwaiter

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/landwaiter/landwaiter/services/internal/limit"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
)

// defaultServer is where `landwaiter up` serves the API when nobody says
// otherwise.
const defaultServer = "http://127.0.0.1:8080"

// connection is what leads a command to a pipeline.
type connection struct {
	env    Env
	server string
	token  string // file
}

// connect adds the flags that lead cmd to a pipeline.
func connect(cmd *cobra.Command, env Env) *connection {
	c := &connection{env: env}
	cmd.Flags().StringVar(&c.server, "server", "", "`URL` of the API (LANDWAITER_URL; default "+defaultServer+")")
	cmd.Flags().StringVar(&c.token, "token-file", "", "`FILE` with the token (LANDWAITER_TOKEN_FILE; or the token itself in LANDWAITER_TOKEN)")
	return c
}

// client asks the pipeline that flags and environment name.
func (c *connection) client() (*client.Client, error) {
	server := first(c.server, c.env.Getenv("LANDWAITER_URL"), defaultServer)
	token := c.env.Getenv("LANDWAITER_TOKEN")
	if file := first(c.token, c.env.Getenv("LANDWAITER_TOKEN_FILE")); file != "" && (c.token != "" || token == "") {
		var err error
		if token, err = tokenIn(file); err != nil {
			return nil, err
		}
	}
	return client.New(server, strings.TrimSpace(token))
}

func tokenIn(path string) (string, error) {
	const most = 4 << 10
	raw, err := limit.ReadFile(path, most)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if token == "" {
		return "", fmt.Errorf("token: %s is empty", path)
	}
	return token, nil
}

// first is the first that is not blank.
func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// warn tells something that is not the command's result.
func (e Env) warn(format string, args ...any) {
	_, _ = fmt.Fprintf(e.Stderr, "landwaiter: "+format+"\n", args...)
}
