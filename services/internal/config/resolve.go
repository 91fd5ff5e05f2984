package config

import (
	"errors"
	"fmt"
	"strings"
)

// Resolve reads a credential's secrets, as [SecretRef.Resolve] does.
func (c Credential) Resolve(dir string, getenv func(string) string) (Resolved, error) {
	out := Resolved{
		Name: c.Name, Type: c.Type, Username: c.Username,
		AccessKeyID: c.AccessKeyID, Role: c.Role, Region: c.Region, Tenant: c.Tenant,
	}
	var errs []error
	var sources []string
	for _, s := range []struct {
		key string
		ref SecretRef
		out *Secret
	}{
		{"password", c.Password, &out.Password},
		{"token", c.Token, &out.Token},
		{"secretAccessKey", c.SecretAccessKey, &out.SecretAccessKey},
		{"sessionToken", c.SessionToken, &out.SessionToken},
		{"key", c.Key, &out.Key},
		{"config", c.Config, &out.Config},
	} {
		secret, err := s.ref.Resolve(dir, getenv)
		if err != nil {
			errs = append(errs, fmt.Errorf("credential %s: %s: %w", c.Name, s.key, err))
		}
		*s.out = secret
		if !s.ref.IsZero() {
			sources = append(sources, s.key+" in "+s.ref.String())
		}
	}
	out.Sources = strings.Join(sources, ", ")
	if err := errors.Join(errs...); err != nil {
		return Resolved{}, err
	}
	return out, nil
}
