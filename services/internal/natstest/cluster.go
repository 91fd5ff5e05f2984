package natstest

import (
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster runs several servers that replicate streams among each other.
func Cluster(tb testing.TB, size int) []*Server {
	tb.Helper()
	var routes []*url.URL
	ports := free(tb, size)
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	servers := make([]*Server, 0, size)
	for i, port := range ports {
		servers = append(servers, Start(tb, func(o *server.Options) {
			o.ServerName = fmt.Sprintf("n%d", i+1)
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port}
			o.Routes = routes
		}))
	}
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !led(servers) {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatal("the cluster has no leader")
		}
	}
	return servers
}

// led tells whether the servers have a leader that all others keep up with.
func led(servers []*Server) bool {
	for _, s := range servers {
		if !s.ns.JetStreamIsLeader() {
			continue
		}
		info, err := s.ns.Jsz(&server.JSzOptions{})
		if err != nil || info.Meta == nil || len(info.Meta.Replicas) != len(servers)-1 {
			return false
		}
		for _, r := range info.Meta.Replicas {
			if !r.Current || r.Offline {
				return false
			}
		}
		return true
	}
	return false
}

// free returns ports that nobody listened on a moment ago.
func free(tb testing.TB, count int) []int {
	tb.Helper()
	var ports []int
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // for a moment
		if err != nil {
			tb.Fatalf("find a free port: %v", err)
		}
		defer func() { _ = l.Close() }()
		if addr, ok := l.Addr().(*net.TCPAddr); ok {
			ports = append(ports, addr.Port)
		}
	}
	return ports
}
