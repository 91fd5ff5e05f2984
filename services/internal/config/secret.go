package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/limit"
)

// maxSecret is far above any password, token or key file in use.
const maxSecret = 64 << 10

// redacted stands where a secret would be printed.
const redacted = "[redacted]"

// Secret is a value that must not be shown. It prints, formats and marshals
// as a placeholder; only Reveal gives it away.
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value: value} }

// Reveal returns the value. Whoever calls it answers for where it goes.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.value == "" }

// String is a placeholder, blank for no secret.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return redacted
}

// GoString is a placeholder.
func (s Secret) GoString() string { return `config.Secret{` + s.String() + `}` }

// Format writes the placeholder whatever the verb, so that %x or %q of a
// struct around it shows nothing either.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is a placeholder; it serves JSON, YAML and the loggers.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is a placeholder.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// SecretRef says where a secret is to be read from: an environment variable or
// a file in the secrets folder.
type SecretRef struct {
	Env  string `json:"env,omitempty"`
	File string `json:"file,omitempty"`
}

// IsZero reports whether nothing is referred to.
func (r SecretRef) IsZero() bool { return r == SecretRef{} }

// String says where the secret is, as messages do; blank: nowhere.
func (r SecretRef) String() string {
	switch {
	case r.Env != "":
		return "environment variable " + r.Env
	case r.File != "":
		return "secret file " + r.File
	default:
		return ""
	}
}

// Resolve reads the secret. dir is the secrets folder, which a file may not
// leave; getenv is usually os.Getenv. A secret that is blank, or longer than
// 64 KiB, is an error; a final line break is not part of it. A zero reference
// gives a zero secret.
func (r SecretRef) Resolve(dir string, getenv func(string) string) (Secret, error) {
	switch {
	case r.IsZero():
		return Secret{}, nil
	case r.Env != "":
		v := getenv(r.Env)
		if v == "" {
			return Secret{}, fmt.Errorf("environment variable %s is not set", r.Env)
		}
		return NewSecret(v), nil
	}
	v, err := readSecret(dir, r.File)
	if err != nil {
		return Secret{}, fmt.Errorf("secret file %s: %w", r.File, err)
	}
	return NewSecret(v), nil
}

func readSecret(dir, name string) (value string, err error) {
	if dir == "" {
		return "", errors.New("no secrets folder is configured")
	}
	f, err := os.OpenInRoot(dir, filepath.FromSlash(name))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := limit.ReadAll(f, maxSecret)
	if err != nil {
		return "", err
	}
	v := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if v == "" {
		return "", errors.New("is empty")
	}
	return v, nil
}
