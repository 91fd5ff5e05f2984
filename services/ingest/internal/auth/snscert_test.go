package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

func TestSNSCertificate(t *testing.T) {
	a := newAmazon(t)
	stranger := newAuthority(t)
	c := newClock()
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	between := authority{key: elliptical}
	between.cert = a.authority.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "between"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, elliptical.Public())
	sns := func() *x509.Certificate { return &x509.Certificate{DNSNames: []string{"sns.amazonaws.com"}} }
	named := func(name string) string { return pemOf(a.signer(t, &x509.Certificate{DNSNames: []string{name}})) }
	for _, tt := range []struct {
		name, file string
		status     int
		want       int
	}{
		{"as published", a.file, 200, late},
		{"by common name", pemOf(a.signer(t, &x509.Certificate{Subject: pkix.Name{CommonName: "sns.amazonaws.com"}})), 200, late},
		{"of a new region", named("sns-signing.af-south-1.amazonaws.com"), 200, late},
		{"of GovCloud", named("sns-us-gov-west-1.amazonaws.com"), 200, late},
		{"of China", named("sns-cn-north-1.amazonaws.com.cn"), 200, late},
		{"with the one between", pemOf(between.issue(t, sns(), &a.key.PublicKey), between.cert), 200, late},
		{"without the one between", pemOf(between.issue(t, sns(), &a.key.PublicKey)), 200, refused},
		{"of another authority", pemOf(stranger.issue(t, sns(), &a.key.PublicKey)), 200, refused},
		{"with its authority", pemOf(stranger.issue(t, sns(), &a.key.PublicKey), stranger.cert), 200, refused},
		{"expired", pemOf(a.signer(t, &x509.Certificate{NotBefore: c.now().Add(-2 * time.Hour), NotAfter: c.now().Add(-time.Hour)})), 200, refused},
		{"not yet in force", pemOf(a.signer(t, &x509.Certificate{NotBefore: c.now().Add(time.Hour), NotAfter: c.now().Add(2 * time.Hour)})), 200, refused},
		{"of another host", named("evil.example"), 200, refused},
		{"of a bucket", named("sns.s3.evil.amazonaws.com"), 200, refused},
		{"of another service", named("sqs.amazonaws.com"), 200, refused},
		{"for another key", pemOf(a.authority.issue(t, sns(), &newRSA(t, 2048).PublicKey)), 200, refused},
		{"for no RSA key", pemOf(a.authority.issue(t, sns(), elliptical.Public())), 200, refused},
		{"a key", strings.ReplaceAll(a.file, "CERTIFICATE", "PUBLIC KEY"), 200, refused},
		{"garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 200, refused},
		{"nothing", "", 200, refused},
		{"endless", a.file + strings.Repeat("\n", fetchMost), 200, refused},
		{"not there", a.file, 404, refused},
		{"not for us", a.file, 403, refused},
		{"elsewhere", a.file, 302, refused},
		{"server broken", a.file, 500, unavailable},
		{"server busy", a.file, 429, unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.change(func() { a.file, a.status, a.dialled = tt.file, tt.status, nil })
			g := a.guard(t, c.now)
			if got := deliver(t, g, delivery{body: a.signed(t, notification(c.now())).json(t)}); got != tt.want {
				t.Errorf("answered %d, want %d", got, tt.want)
			}
			for _, address := range a.dialled {
				if address != snsHost+":443" {
					t.Errorf("connected to %s", address)
				}
			}
		})
	}
}

// Without roots of ours the published file is judged as Amazon publishes it:
// the signing certificate alone.
func TestSNSCertificateWithoutItsChain(t *testing.T) {
	a, c := newAmazon(t), newClock()
	for _, tt := range []struct {
		name, file string
		want       int
	}{
		{"alone", a.file, late},
		{"with an authority nobody knows", a.file + pemOf(a.authority.cert), refused},
		{"of another host", pemOf(a.signer(t, &x509.Certificate{DNSNames: []string{"evil.example"}})), refused},
		{"expired", pemOf(a.signer(t, &x509.Certificate{NotBefore: c.now().Add(-2 * time.Hour), NotAfter: c.now().Add(-time.Hour)})), refused},
	} {
		a.change(func() { a.file = tt.file })
		g := guard(t, registry(config.ECR, config.WebhookAuth{Type: config.SNSAuth, Topics: []string{topic}}), Options{Client: a.client, Now: c.now})
		if got := deliver(t, g, delivery{body: a.signed(t, notification(c.now())).json(t)}); got != tt.want {
			t.Errorf("%s: answered %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestSNSWeakKey(t *testing.T) {
	a, c := newAmazon(t), newClock()
	a.key = newRSA(t, 1024)
	a.change(func() { a.file = pemOf(a.signer(t, &x509.Certificate{})) })
	if got := deliver(t, a.guard(t, c.now), delivery{body: a.signed(t, notification(c.now())).json(t)}); got != refused {
		t.Errorf("answered %d", got)
	}
}

// TLS is what the published file is believed for: a server that cannot prove to
// be Amazon's is no server.
func TestSNSServerMustProveItsName(t *testing.T) {
	a, c := newAmazon(t), newClock()
	const elsewhere = "arn:aws:sns:us-east-1:123456789012:pushes" // its host is not in the server's certificate
	m := a.signed(t, notification(c.now()).with("TopicArn", elsewhere, "SigningCertURL", "https://sns.us-east-1.amazonaws.com/x.pem"))
	if got := deliver(t, a.guard(t, c.now, elsewhere), delivery{body: m.json(t)}); got != unavailable {
		t.Errorf("answered %d", got)
	}
}

func TestSNSCertificatesAreKeptWithinBounds(t *testing.T) {
	a, c := newAmazon(t), newClock()
	g := a.guard(t, c.now)
	good := a.signed(t, notification(c.now())).json(t)
	if got := deliver(t, g, delivery{body: good}); got != late {
		t.Fatalf("answered %d", got)
	}
	a.change(func() { a.status = http.StatusNotFound })
	answers := map[int]int{}
	for i := range 10 {
		m := notification(c.now()).with("SigningCertURL", "https://"+snsHost+"/x"+strconv.Itoa(i)+".pem", "Signature", "AAAA")
		answers[deliver(t, g, delivery{body: m.json(t)})]++
	}
	if answers[refused] != certificateBurst-1 || answers[unavailable] != 10-answers[refused] || len(a.fetched) != certificateBurst {
		t.Errorf("answered %v, fetched %v", answers, a.fetched)
	}
	a.Close()
	if got := deliver(t, g, delivery{body: good}); got != late {
		t.Errorf("known certificate: answered %d", got)
	}
	a = newAmazon(t)
	g = a.guard(t, c.now)
	for i := range 2 * keptCertificates {
		c.pass(certificateEvery)
		m := a.signed(t, notification(c.now()).with("SigningCertURL", "https://"+snsHost+"/x"+strconv.Itoa(i)+".pem"))
		if got := deliver(t, g, delivery{body: m.json(t)}); got != late {
			t.Fatalf("certificate %d: answered %d", i, got)
		}
	}
	if n := len(g.proof.(*notifications).certificates.kept); n != keptCertificates {
		t.Errorf("%d are kept", n)
	}
	c.pass(48 * time.Hour)
	m := a.signed(t, notification(c.now()).with("SigningCertURL", "https://"+snsHost+"/x31.pem"))
	if got := deliver(t, g, delivery{body: m.json(t)}); got != refused {
		t.Errorf("certificate kept until it had expired: answered %d", got)
	}
}
