package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Limits of a fetch from a mirror.
const (
	fetchTime = 30 * time.Minute // for one ecosystem's zip
	fetchMost = 2 << 30          // bytes of it
)

// Remote tells whether a source is a URL, not a directory.
func Remote(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}

// Fetch makes dir a copy of the named ecosystems of an export. A zip whose
// ETag has not changed is not transferred again.
func Fetch(ctx context.Context, base string, ecosystems []string, dir string) error {
	client := &http.Client{
		Timeout: fetchTime,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second,
			ResponseHeaderTimeout: time.Minute, ForceAttemptHTTP2: true,
		},
	}
	defer client.CloseIdleConnections()
	for _, eco := range ecosystems {
		if err := fetchZip(ctx, client, base, eco, dir); err != nil {
			return fmt.Errorf("fetch advisories of %s: %w", eco, err)
		}
	}
	return nil
}

func fetchZip(ctx context.Context, client *http.Client, base, eco, dir string) (err error) {
	if strings.ContainsAny(eco, "/\\:") || eco == ".." {
		return fmt.Errorf("%q is no ecosystem's name: leave out the release", eco)
	}
	target := filepath.Join(dir, eco, "all.zip")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/"+url.PathEscape(eco)+"/all.zip", http.NoBody)
	if err != nil {
		return err
	}
	if tag, err := os.ReadFile(target + ".etag"); err == nil && exists(target) { //nolint:gosec // a file of this package's folder
		req.Header.Set("If-None-Match", string(tag))
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	switch res.StatusCode {
	case http.StatusNotModified:
		return nil
	case http.StatusOK:
		return keep(target, res)
	default:
		return fmt.Errorf("the source answered %s", res.Status)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// keep replaces the file only when all of it has come.
func keep(target string, res *http.Response) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(target), "fetch-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out.Name()) }() // gone already when all went well
	n, err := io.Copy(out, io.LimitReader(res.Body, fetchMost+1))
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if n > fetchMost {
		return fmt.Errorf("more than %d bytes", int64(fetchMost))
	}
	if err := os.Rename(out.Name(), target); err != nil {
		return err
	}
	tag := res.Header.Get("ETag")
	if tag == "" {
		return errors.Join(os.RemoveAll(target + ".etag"))
	}
	return os.WriteFile(target+".etag", []byte(tag), 0o600)
}
