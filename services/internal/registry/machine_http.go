package registry

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// plain is the client of a cloud's own library, which finds out by itself where
// its services are. It goes by the registry's proxy, with the authorities that
// the registry's connections trust; what is asked of this machine's own cloud,
// never does.
func (g *guard) plain() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.Proxy = func(r *http.Request) (*url.URL, error) {
			if isCloud(r.URL) {
				return nil, nil
			}
			return g.proxies.of(r.URL)
		}
		t.OnProxyConnectResponse = g.proxies.answered
		if roots := g.inner.TLSClientConfig.RootCAs; roots != nil {
			t.TLSClientConfig = t.TLSClientConfig.Clone()
			t.TLSClientConfig.RootCAs = roots
		}
	})
}

// isCloud reports whether a URL is of what a cloud tells its own machines, pods
// included: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
func isCloud(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return config.IsLoopback(u.Host) || err == nil && (isMetadata(ip.Unmap()) || strings.HasPrefix(ip.String(), "fd00:ec2::"))
}
