package harness

import (
	"bufio"
	"regexp"
	"strconv"
	"strings"
)

// Request is one line of a registry's access log.
type Request struct {
	Method string
	Path   string // with the query, as it was asked for
	Status int
	Agent  string // User-Agent; blank when there was none
}

// Blob reports whether the request read or looked at a blob: a layer or an
// image's configuration.
func (r Request) Blob() bool {
	return strings.Contains(r.Path, "/blobs/sha256:")
}

// combined is Apache's combined log format, as far as it matters here.
var combined = regexp.MustCompile(`^\S+ \S+ \S+ \[[^\]]*\] "([A-Z]+) (\S+) HTTP/[0-9.]+" ([0-9]{3}) \S+ "(?:[^"\\]|\\.)*" "((?:[^"\\]|\\.)*)"`)

// parseAccessLog reads a log in Apache's combined format. Lines in any other
// form are not requests.
func parseAccessLog(log string) []Request {
	var requests []Request
	lines := bufio.NewScanner(strings.NewReader(log))
	for lines.Scan() {
		m := combined.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		status, err := strconv.Atoi(m[3])
		if err != nil {
			continue
		}
		requests = append(requests, Request{Method: m[1], Path: m[2], Status: status, Agent: m[4]})
	}
	return requests
}
