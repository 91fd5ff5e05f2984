package access

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Sessions makes and checks the console's cookies: an expiry and its
// signature, never the token.
type Sessions struct {
	key []byte
	now func() time.Time
}

const (
	cookieName   = "landwaiter_session"
	sessionsLast = 12 * time.Hour
)

// NewSessions signs with a key drawn from a configured token, so that replicas
// know each other's sessions; without one the key is this process's own, and
// its end ends the sessions.
func NewSessions(configuredToken string) (*Sessions, error) {
	s := &Sessions{now: time.Now}
	if configuredToken == "" {
		s.key = make([]byte, sha256.Size)
		_, _ = rand.Read(s.key) // it never returns an error
		return s, nil
	}
	key, err := hkdf.Key(sha256.New, []byte(configuredToken), nil, "landwaiter console session", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive session key: %w", err)
	}
	s.key = key
	return s, nil
}

func (s *Sessions) sign(text string) string {
	m := hmac.New(sha256.New, s.key)
	_, _ = m.Write([]byte(text)) // a hash takes everything
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// Begin sets the cookie of a new session.
func (s *Sessions) Begin(w http.ResponseWriter, r *http.Request) {
	text := strconv.FormatInt(s.now().Add(sessionsLast).Unix(), 10) + "." + rand.Text()
	http.SetCookie(w, cookie(r, text+"."+s.sign(text), int(sessionsLast.Seconds())))
}

// End removes the cookie.
func (s *Sessions) End(w http.ResponseWriter, r *http.Request) { http.SetCookie(w, cookie(r, "", -1)) }

func cookie(r *http.Request, value string, age int) *http.Cookie {
	//nolint:gosec // Secure follows the connection: loopback is spoken to without TLS
	return &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	}
}

// Holds reports whether the request has the cookie of a session that lasts.
func (s *Sessions) Holds(r *http.Request) bool {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return false
	}
	i := strings.LastIndexByte(c.Value, '.')
	if i < 0 || !hmac.Equal([]byte(s.sign(c.Value[:i])), []byte(c.Value[i+1:])) {
		return false
	}
	until, _, _ := strings.Cut(c.Value, ".")
	unix, err := strconv.ParseInt(until, 10, 64)
	return err == nil && s.now().Unix() < unix
}
