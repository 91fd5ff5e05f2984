package registry

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/landwaiter/landwaiter/services/internal/agent"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

const anyDigest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

// allHere is a resolver by which every name leads to this machine.
func allHere(t *testing.T) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
			}
			if answer, err := m.Pack(); err == nil {
				_, _ = server.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// at is a server's address under another name.
func at(host string, s *httptest.Server) string {
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	return host + ":" + port
}

// newAt makes a client that contacts a server under a name.
func newAt(t *testing.T, cfg config.Registry) *Client {
	t.Helper()
	cfg.Name = "test"
	c, err := New(cfg, config.Resolved{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.guard.dialer.Resolver = allHere(t)
	return c
}

// A name that leads to this machine is as bad as the machine's own address,
// except where the operator says so: the registry itself, and a proxy.
func TestRedirectToAnotherNameOfThisMachine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		host, proxy string
		want        error
	}{
		"from elsewhere":    {"registry.test", "", ErrInvalid},
		"from this machine": {"localhost", "", nil},
		"through a proxy":   {"registry.test", "proxy.test", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var contacted, foreign atomic.Bool
			local := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				contacted.Store(true)
				_, _ = io.WriteString(w, "{}")
			}))
			t.Cleanup(local.Close)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !agent.IsOwn(r.UserAgent()) {
					foreign.Store(true)
				}
				if r.URL.Path != "/v2/" {
					http.Redirect(w, r, "http://"+at("evil.test", local)+"/", http.StatusTemporaryRedirect)
				}
			}))
			t.Cleanup(s.Close)
			cfg := config.Registry{Address: "http://" + at(tt.host, s)}
			if tt.proxy != "" {
				cfg.Proxy = "http://" + at(tt.proxy, forward(t))
			}
			body, _, err := newAt(t, cfg).Blob(t.Context(), "a", anyDigest)
			if err == nil {
				_ = body.Close()
			}
			if !errors.Is(err, tt.want) || contacted.Load() != (tt.want == nil) {
				t.Errorf("got %v, contacted %t; want %v", err, contacted.Load(), tt.want)
			}
			if foreign.Load() {
				t.Error("a request under another name than ours")
			}
		})
	}
}

// forward is a proxy that finds every host on this machine.
func forward(t *testing.T) *httptest.Server {
	t.Helper()
	transport := &http.Transport{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := r.Clone(r.Context())
		out.RequestURI = ""
		out.URL.Host = "127.0.0.1:" + r.URL.Port()
		resp, err := transport.RoundTrip(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		if location := resp.Header.Get("Location"); location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	t.Cleanup(func() { s.Close(); transport.CloseIdleConnections() })
	return s
}

func TestRefuse(t *testing.T) {
	for _, tt := range []struct {
		address string
		here    bool
		want    error
	}{
		{"192.0.2.1:443", false, nil},
		{"10.0.0.1:443", false, nil}, // a registry and its store may well be in a private network
		{"127.0.0.1:443", true, nil},
		{"127.9.9.9:443", false, ErrInvalid},
		{"[::1]:443", false, ErrInvalid},
		{"[::ffff:127.0.0.1]:443", false, ErrInvalid},
		{"0.0.0.0:443", false, ErrInvalid},
		{"[::]:443", false, ErrInvalid},
		{"169.254.169.254:80", true, ErrInvalid},
		{"[fe80::1%eth0]:80", true, ErrInvalid},
		{"[fd00:ec2::254]:80", true, ErrInvalid},
		{"/run/socket", false, nil},
	} {
		if err := refuse(tt.address, tt.here); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.address, err, tt.want)
		}
	}
}

// A token server in a private network is no public registry's.
func TestPrivateRealm(t *testing.T) {
	d := newDialer(config.Registry{Address: "registry.example.com"}, "registry.example.com")
	d.realm.Store("auth.example.com:443")
	const own, realm, blobs = "registry.example.com:443", "auth.example.com:443", "blobs.example.com:443"
	for _, tt := range []struct {
		address, resolved string
		want              error
	}{
		{own, "192.0.2.1:443", nil},
		{realm, "192.0.2.2:443", nil},
		{realm, "10.0.0.1:443", ErrInvalid},
		{realm, "[::ffff:192.168.0.1]:443", ErrInvalid},
		{realm, "[fd12::1]:443", ErrInvalid},
		{blobs, "10.0.0.1:443", nil},
		{own, "10.0.0.1:443", nil}, // so is the registry
		{realm, "10.0.0.2:443", nil},
	} {
		if err := d.refusePrivate(tt.address, tt.resolved); !errors.Is(err, tt.want) {
			t.Errorf("%s at %s: got %v, want %v", tt.address, tt.resolved, err, tt.want)
		}
	}
}

// trickle gives a byte every other moment, for ever; what is asked for from an
// offset on, too, from the beginning.
func trickle(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v2/" {
		return
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
		_, err := w.Write([]byte{'x'})
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		if err != nil {
			return
		}
	}
}

// A registry that is alive but gives next to nothing holds no slot for ever.
func TestBlobTrickles(t *testing.T) {
	t.Parallel()
	for name, offset := range map[string]int64{"from the beginning": 0, "on the way to where it broke": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(trickle))
			t.Cleanup(s.Close)
			cfg := config.Registry{Address: at("localhost", s), Limits: config.Limits{Concurrency: 1}}
			c := newAt(t, cfg)
			c.slowest = pace{least: 1 << 20, window: 50 * time.Millisecond}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			body, _, err := c.Blob(ctx, "a", anyDigest)
			if err != nil {
				t.Fatal(err)
			}
			if b, ok := body.(*blob); ok && offset > 0 {
				b.offset = offset
				b.broke(io.ErrUnexpectedEOF)
			}
			if _, err := io.Copy(io.Discard, body); !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v, want unavailable", err)
			}
			if err := c.Ping(ctx); err != nil { // there is one slot
				t.Errorf("while the body is open: %v", err)
			}
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMeter(t *testing.T) {
	m := meter{pace: pace{least: 100, window: time.Minute}}
	for i, tt := range []struct {
		bytes int
		took  time.Duration
		slow  bool
	}{
		{1, 59 * time.Second, false}, // the window is not over
		{99, time.Second, false},     // just enough
		{99, time.Minute, true},
		{100, time.Hour, false}, // a stall is another's business
	} {
		if slow := m.add(tt.bytes, tt.took); slow != tt.slow {
			t.Errorf("%d: got %t, want %t", i, slow, tt.slow)
		}
	}
}
