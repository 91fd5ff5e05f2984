package access

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

// Guard stands before everything the service answers.
type Guard struct {
	Token    Token
	Sessions *Sessions
	// Hosts are the names we answer to beside those of this machine.
	Hosts []string
}

// MaxBody bounds a request's body, in bytes.
const MaxBody = 1 << 20

// Protect lets only requests through that ask for a name of ours, and where
// they change something come from no other site's page: a page elsewhere
// cannot use the browser of somebody who is logged in here, nor a name that
// was made to point at this machine.
func (g Guard) Protect(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.New(http.StatusForbidden, "the request comes from another site's page",
			"send it from the console itself, or without an Origin header").Write(w)
	}))
	inner := origins.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "+
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if !g.ours(r.Host) {
			problem.New(http.StatusForbidden, "this service does not answer for the host "+clip(r.Host),
				"add the name to LANDWAITER_HOSTS (--hosts) if it is meant to").Write(w)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		inner.ServeHTTP(w, r)
	})
}

func (g Guard) ours(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	same := func(h string) bool { return strings.EqualFold(h, host) || strings.EqualFold(h, name) }
	return config.IsLoopback(strings.ToLower(host)) || slices.ContainsFunc(g.Hosts, same)
}

func clip(s string) string {
	const most = 100
	if len(s) > most {
		s = s[:most] + "..."
	}
	return s
}

// Allowed reports whether the request comes from the admin: by the token, or by
// a session of the console.
func (g Guard) Allowed(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") && g.Token.Is(strings.TrimSpace(token)) {
		return true
	}
	return g.Sessions.Holds(r)
}

// Admin lets only the admin through; deny answers everybody else.
func (g Guard) Admin(next, deny http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.Allowed(r) {
			next.ServeHTTP(w, r)
			return
		}
		deny.ServeHTTP(w, r)
	})
}

// Unauthorized answers who has shown no token.
func Unauthorized(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="landwaiter"`)
	problem.New(http.StatusUnauthorized, "no valid admin token",
		"send it as Authorization: Bearer TOKEN; it was printed at the first start, LANDWAITER_ADMIN_TOKEN sets another").Write(w)
}
