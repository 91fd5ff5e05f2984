package auth

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

const (
	keptCertificates = 16              // a region has one or two at a time
	certificateEvery = 2 * time.Second // between two fetches in the long run: anybody can invent names
	certificateBurst = 4
	certificateChain = 8    // certificates read of one file
	leastRSA         = 2048 // bits
)

// certificates are Amazon's signing certificates, by address. They are fetched
// from the endpoint of a configured topic's region and nowhere else.
type certificates struct {
	fetch    fetcher
	roots    *x509.CertPool
	patience time.Duration
	now      func() time.Time
	pace     *rate.Limiter
	flight   singleflight.Group

	mu   sync.Mutex
	kept map[string]*x509.Certificate
}

func newCertificates(o Options) *certificates {
	return &certificates{
		fetch: newFetcher(o.Client), roots: o.Roots, patience: o.Patience, now: o.Now,
		pace: rate.NewLimiter(rate.Every(certificateEvery), certificateBurst), kept: make(map[string]*x509.Certificate),
	}
}

// key is the public key at an address, which must be on host.
func (c *certificates) key(ctx context.Context, address, host string) (*rsa.PublicKey, error) {
	if !published(address, host) {
		return nil, errors.New("its certificate is not where Amazon publishes them")
	}
	cert, ok := c.known(address)
	if !ok {
		var err error
		if cert, err = c.fetched(ctx, address); err != nil {
			return nil, err
		}
	}
	if err := inForce(cert, c.now()); err != nil {
		return nil, err
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < leastRSA {
		return nil, errors.New("its certificate has no RSA key, or a weak one")
	}
	return key, nil
}

// fetched is the certificate at an address once it has been fetched: by one
// fetch for all who wait, which goes on when their patience is over.
func (c *certificates) fetched(ctx context.Context, address string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	select {
	case got := <-c.flight.DoChan(address, func() (any, error) { return c.load(context.WithoutCancel(ctx), address) }):
		cert, _ := got.Val.(*x509.Certificate)
		return cert, got.Err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: certificate %s: no answer within %s", ErrUnavailable, address, c.patience)
	}
}

var certificateFile = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}\.pem$`)

// published tells whether an address names a certificate file on the host. It
// is compared as text: what is not parsed cannot be parsed in two ways.
func published(address, host string) bool {
	name, ok := strings.CutPrefix(address, "https://"+host+"/")
	return ok && certificateFile.MatchString(name)
}

func (c *certificates) known(address string) (*x509.Certificate, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cert, ok := c.kept[address]
	return cert, ok
}

func (c *certificates) load(ctx context.Context, address string) (*x509.Certificate, error) {
	if cert, ok := c.known(address); ok { // fetched since the caller has looked
		return cert, nil
	}
	if !c.pace.AllowN(c.now(), 1) {
		return nil, fmt.Errorf("%w: too many certificates are asked for", ErrUnavailable)
	}
	file, err := c.fetch.get(ctx, address)
	if err != nil {
		return nil, err
	}
	cert, err := checkCertificate(file, c.roots, c.now())
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", address, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for other := range c.kept {
		if len(c.kept) < keptCertificates {
			break
		}
		delete(c.kept, other)
	}
	c.kept[address] = cert
	return cert, nil
}

// checkCertificate reads a published file: the signing certificate and, if
// there are, those that it leads to the roots by. Amazon publishes it alone, so
// that the way to the system's roots is missing; then it is believed because
// Amazon's own host, verified by TLS, has served it. Given roots must be
// reached.
func checkCertificate(file []byte, roots *x509.CertPool, now time.Time) (*x509.Certificate, error) {
	chain, err := parseChain(file)
	if err != nil {
		return nil, err
	}
	leaf, between := chain[0], x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if err := inForce(leaf, now); err != nil {
		return nil, err
	}
	if !ofSNS(leaf) {
		return nil, errors.New("it does not name SNS")
	}
	_, err = leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	var unknown x509.UnknownAuthorityError
	if roots == nil && len(chain) == 1 && errors.As(err, &unknown) {
		return leaf, nil
	}
	return leaf, err
}

func parseChain(file []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for len(chain) < certificateChain {
		block, rest := pem.Decode(file)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, errors.New("the file holds other than certificates")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain, file = append(chain, c), rest
	}
	if len(chain) == 0 {
		return nil, errors.New("the file holds no certificate")
	}
	return chain, nil
}

func inForce(c *x509.Certificate, now time.Time) error {
	if now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return errors.New("the certificate is not in force")
	}
	return nil
}

// nameOfSNS is whom Amazon issues signing certificates to. Old regions share
// sns.amazonaws.com; later ones have sns-signing.<region>, China and GovCloud
// sns-<region>.
var nameOfSNS = regexp.MustCompile(`^sns(-signing)?([.-][a-z0-9-]+)?\.amazonaws\.com(\.cn)?$`)

func ofSNS(c *x509.Certificate) bool {
	return nameOfSNS.MatchString(c.Subject.CommonName) || slices.ContainsFunc(c.DNSNames, nameOfSNS.MatchString)
}
