package app

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/limit"
)

// Variables reads environment variables and collects everything that is wrong
// with them, so that all of it is told at once. A variable that is not set, or
// blank, takes the fallback.
type Variables struct {
	env      Env
	known    []string
	mistakes []error
}

// Read begins reading.
func Read(env Env) *Variables { return &Variables{env: env, known: documented()} }

func (v *Variables) mistake(name, format string, args ...any) {
	v.mistakes = append(v.mistakes, fmt.Errorf("%s: %w", name, fmt.Errorf(format, args...)))
}

func (v *Variables) get(name string) string {
	v.known = append(v.known, name)
	return strings.TrimSpace(v.env.Getenv(name))
}

// String reads any text.
func (v *Variables) String(name, fallback string) string {
	if s := v.get(name); s != "" {
		return s
	}
	return fallback
}

// List reads texts that are separated by commas.
func (v *Variables) List(name string) []string {
	var list []string
	for s := range strings.SplitSeq(v.get(name), ",") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// Duration reads a length of time, as 10s or 30d; never a negative one.
func (v *Variables) Duration(name string, fallback time.Duration) time.Duration {
	s := v.get(name)
	if s == "" {
		return fallback
	}
	d, err := config.ParseDuration(s)
	if err != nil {
		v.mistake(name, "%w", err)
	}
	return d.Std()
}

// Int reads a whole number from least on.
func (v *Variables) Int(name string, fallback, least int) int {
	s := v.get(name)
	if s == "" {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least {
		v.mistake(name, "%q is not a whole number from %d", s, least)
	}
	return n
}

// Bool reads true or false; blank is false.
func (v *Variables) Bool(name string) bool {
	s := v.get(name)
	if s == "" {
		return false
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		v.mistake(name, "%q is neither true nor false", s)
	}
	return b
}

// Addr reads host:port; the host may be blank for all of the machine's
// addresses.
func (v *Variables) Addr(name, fallback string) string {
	s := v.get(name)
	if s == "" {
		return fallback
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		v.mistake(name, "%q is not host:port", s)
		return s
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		v.mistake(name, "port %q is not a number from 0 to 65535", port)
	}
	return s
}

// Secret reads a secret from the variable, or from the file that NAME_FILE
// names; at most one of the two is to be set. A final line break in the file
// is not part of it.
func (v *Variables) Secret(name string) config.Secret {
	value, file := v.get(name), v.get(name+"_FILE")
	switch {
	case value != "" && file != "":
		v.mistake(name, "set it or %s_FILE, not both", name)
	case file != "":
		s, err := secretFile(file)
		if err != nil {
			v.mistake(name+"_FILE", "%w", err)
		}
		return config.NewSecret(s)
	}
	return config.NewSecret(value)
}

func secretFile(path string) (string, error) {
	const most = 64 << 10
	b, err := limit.ReadFile(path, most)
	if err != nil {
		return "", err
	}
	s := strings.TrimRight(string(b), "\r\n")
	if s == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return s, nil
}

// Err joins everything that was wrong, LANDWAITER_ variables that nobody reads
// included: they are slips of the pen more often than not.
func (v *Variables) Err() error {
	var unknown []error
	if v.env.Environ != nil {
		for _, entry := range v.env.Environ() {
			name, _, _ := strings.Cut(entry, "=")
			if strings.HasPrefix(name, prefix) && !slices.Contains(v.known, name) && !foreign(name) {
				unknown = append(unknown, fmt.Errorf("%s: no such variable (did you mean %s?)", name, config.Nearest(name, v.known, len(name))))
			}
		}
	}
	return errors.Join(append(v.mistakes, unknown...)...)
}
