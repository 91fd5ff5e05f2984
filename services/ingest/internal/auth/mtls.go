package auth

import (
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// newCertificate is the proof by a client certificate, which the listener has
// verified already: here it only matters whose it is.
func newCertificate(a config.WebhookAuth) (proof, error) {
	subjects, err := newNames(a.Subjects)
	if err != nil {
		return nil, err
	}
	return shown(func(req *http.Request, _ string) bool {
		if req.TLS == nil || len(req.TLS.VerifiedChains) == 0 || len(req.TLS.VerifiedChains[0]) == 0 {
			return false
		}
		return subjects.accept(req.TLS.VerifiedChains[0][0])
	}), nil
}

// names are the accepted identities of senders. They are no secrets.
type names []string

// newNames wants at least one: without any, whoever the authority or the issuer
// vouches for would do.
func newNames(all []string) (names, error) {
	if len(all) == 0 || slices.Contains(all, "") {
		return nil, errors.New("subjects are missing, or one is blank")
	}
	return slices.Clone(all), nil
}

// accept tells whether a certificate names one of the identities. DNS names
// have no case.
func (n names) accept(leaf *x509.Certificate) bool {
	return slices.ContainsFunc(n, func(name string) bool {
		return leaf.Subject.CommonName == name ||
			slices.ContainsFunc(leaf.DNSNames, func(dns string) bool { return strings.EqualFold(dns, name) })
	})
}
