package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Health asks the service at LANDWAITER_ADMIN whether it is ready. An address
// that means all of the machine's is asked on loopback.
func Health(ctx context.Context, env Env) error {
	const patience = 3 * time.Second
	url, err := readyURL(env.Getenv("LANDWAITER_ADMIN"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	// A proxy set in the environment is not for this machine's own address.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		const most = 1024
		why, err := io.ReadAll(io.LimitReader(res.Body, most))
		return errors.Join(fmt.Errorf("not ready: %s: %s", res.Status, why), err)
	}
	return nil
}

func readyURL(admin string) (string, error) {
	if admin == "" {
		return "", errors.New("LANDWAITER_ADMIN is not set: the service has no admin address to ask")
	}
	host, port, err := net.SplitHostPort(admin)
	if err != nil {
		return "", fmt.Errorf("LANDWAITER_ADMIN: %w", err)
	}
	if ip, err := netip.ParseAddr(host); host == "" || (err == nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
		if ip.Is6() {
			host = "::1"
		}
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz", nil
}
