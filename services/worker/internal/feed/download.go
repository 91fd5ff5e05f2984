package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// Limits of a fetch.
const (
	fetchTime  = 30 * time.Minute // for one request
	fetchTries = 5                // of a transfer that breaks off, each going on where the one before ended
	tagMost    = 1 << 10          // bytes of an ETag
)

// errUnchanged tells that the server has nothing newer than what is kept.
var errUnchanged = errors.New("unchanged")

// statusError is an answer that is no file.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return "the source answered " + e.text }

// mirror fetches over HTTP.
type mirror struct {
	client *http.Client
	pause  time.Duration // before the second try; it doubles
	now    func() time.Time
}

func newMirror(pause time.Duration, now func() time.Time) mirror {
	if pause <= 0 {
		pause = time.Second
	}
	if now == nil {
		now = time.Now
	}
	return mirror{
		client: &http.Client{
			Timeout: fetchTime,
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second,
				ResponseHeaderTimeout: time.Minute, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 1 << 20, MaxIdleConnsPerHost: atOnce,
			},
		},
		pause: pause, now: now,
	}
}

// download is one file to be fetched.
type download struct {
	url  string
	to   string // what has come of it so far stays there until it is whole
	tag  string // ETag of what is kept; blank: nothing is
	most int64  // bytes
}

// download fetches a file and returns its ETag. A transfer that breaks off goes
// on where it ended, now or at the next call, if the server still has the same
// file. It is for the caller to verify what came.
func (m mirror) download(ctx context.Context, d download) (tag string, err error) {
	part := d.to + ".part"
	for try := 1; ; try++ {
		before := begun(part)
		tag, err = m.transfer(ctx, d, part)
		// Only what has come further is worth another try at once.
		if err == nil || begun(part) <= before || try == fetchTries || ctx.Err() != nil {
			break
		}
		wait(ctx, m.pause<<(try-1))
	}
	if err != nil {
		return "", err
	}
	return tag, errors.Join(os.Rename(part, d.to), os.RemoveAll(part+tagSuffix))
}

var errTooLarge = errors.New("too large")

// transfer asks for the file, or for what is missing of it.
func (m mirror) transfer(ctx context.Context, d download, part string) (tag string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept-Encoding", "identity") // ranges and lengths are of the file itself
	have := begun(part)
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		req.Header.Set("If-Range", readTag(part))
	} else if d.tag != "" {
		req.Header.Set("If-None-Match", d.tag)
	}
	res, err := m.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	tag = res.Header.Get("ETag")
	switch {
	case res.StatusCode == http.StatusNotModified && d.tag != "":
		return "", errUnchanged
	case res.StatusCode == http.StatusPartialContent && strings.HasPrefix(res.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
	case res.StatusCode == http.StatusOK:
		have = 0
	case res.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return "", errors.Join(errors.New("the source has not what was begun"), os.RemoveAll(part))
	default:
		return "", &statusError{res.StatusCode, res.Status}
	}
	return tag, receive(res, part, have, d.most)
}

// receive writes the body behind the bytes that are there.
func receive(res *http.Response, part string, have, most int64) error {
	if res.ContentLength > most-have {
		return fmt.Errorf("%w: more than %d bytes", errTooLarge, most)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if have == 0 {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
		// Bytes of one file never lie beside the ETag of another.
		if err := errors.Join(os.RemoveAll(part), writeTag(part, strong(res.Header.Get("ETag")))); err != nil {
			return err
		}
	}
	out, err := os.OpenFile(part, flags, 0o600) //nolint:gosec // a file of this package's folder
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(res.Body, most-have+1))
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if n > most-have {
		return errors.Join(fmt.Errorf("%w: more than %d bytes", errTooLarge, most), os.RemoveAll(part))
	}
	return nil
}

// begun is how much of a file is there that can be gone on with.
func begun(part string) int64 {
	info, err := os.Stat(part)
	if err != nil || readTag(part) == "" {
		return 0
	}
	return info.Size()
}

// strong drops a weak ETag: files that have the same one may differ in bytes.
func strong(tag string) string {
	if strings.HasPrefix(tag, "W/") {
		return ""
	}
	return tag
}

// tagSuffix ends the name of the file with another file's ETag.
const tagSuffix = ".etag"

func readTag(path string) string {
	if !exists(path) {
		return ""
	}
	raw, err := os.ReadFile(path + tagSuffix) //nolint:gosec // a file of this package's folder
	if err != nil || len(raw) > tagMost {
		return ""
	}
	return string(raw)
}

func writeTag(path, tag string) error {
	if tag == "" || len(tag) > tagMost {
		return os.RemoveAll(path + tagSuffix)
	}
	return os.WriteFile(path+tagSuffix, []byte(tag), 0o600)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
