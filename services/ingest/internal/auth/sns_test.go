package auth

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

const (
	topic   = "arn:aws:sns:eu-west-1:123456789012:pushes"
	snsHost = "sns.eu-west-1.amazonaws.com"
	certURL = "https://" + snsHost + "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
)

// amazon is SNS's endpoint in a region, which publishes signing certificates,
// and whatever else a client is led to.
type amazon struct {
	*httptest.Server
	authority authority
	key       *rsa.PrivateKey
	client    *http.Client // to which every name leads here

	mu      sync.Mutex
	dialled []string
	fetched []string
	file    string // the published certificate
	status  int
}

func newAmazon(t *testing.T) *amazon {
	t.Helper()
	a := &amazon{authority: newAuthority(t), key: newRSA(t, 2048), status: http.StatusOK}
	a.file = pemOf(a.signer(t, &x509.Certificate{}))
	a.Server = httptest.NewUnstartedServer(a)
	names := []string{snsHost, "sns.cn-north-1.amazonaws.com.cn", "evil.example"}
	a.TLS = &tls.Config{Certificates: []tls.Certificate{a.authority.pair(t, &x509.Certificate{DNSNames: names})}, MinVersion: tls.VersionTLS12}
	a.StartTLS()
	t.Cleanup(a.Close)
	a.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: a.authority.pool(), MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			a.change(func() { a.dialled = append(a.dialled, address) })
			return (&net.Dialer{}).DialContext(ctx, network, a.Listener.Addr().String())
		},
	}}
	return a
}

// signer issues a signing certificate for SNS's key, if the template says
// nothing else about its name.
func (a *amazon) signer(t *testing.T, template *x509.Certificate) *x509.Certificate {
	t.Helper()
	if template.Subject.CommonName == "" && template.DNSNames == nil {
		template.Subject.CommonName, template.DNSNames = "sns.amazonaws.com", []string{"sns.amazonaws.com"}
	}
	return a.authority.issue(t, template, &a.key.PublicKey)
}

func (a *amazon) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

func (a *amazon) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fetched = append(a.fetched, req.Host+req.URL.String())
	if a.status == http.StatusFound {
		w.Header().Set("Location", "https://evil.example/x.pem")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(a.file))
}

func (a *amazon) guard(t *testing.T, now func() time.Time, topics ...string) *Guard {
	t.Helper()
	r := registry(config.ECR, config.WebhookAuth{Type: config.SNSAuth, Topics: append(topics, topic)})
	return guard(t, r, Options{Client: a.client, Roots: a.authority.pool(), Now: now})
}

type snsMessage map[string]any

func (m snsMessage) with(pairs ...any) snsMessage {
	out := maps.Clone(m)
	for i := 0; i < len(pairs); i += 2 {
		if out[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(out, pairs[i].(string))
		}
	}
	return out
}

func (m snsMessage) json(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func notification(at time.Time) snsMessage {
	return snsMessage{
		"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": topic,
		"Message": "{\"detail\":\"wéb\"}\nmore", "Timestamp": at.UTC().Format("2006-01-02T15:04:05.000Z"),
		"SignatureVersion": "2", "SigningCertURL": certURL, "UnsubscribeURL": "https://" + snsHost + "/?Action=Unsubscribe",
	}
}

// text is what SNS documents as the text to sign of a notification.
func (m snsMessage) text() string {
	var subject string
	if s, ok := m["Subject"]; ok {
		subject = "Subject\n" + s.(string) + "\n"
	}
	return "Message\n" + m["Message"].(string) + "\nMessageId\n" + m["MessageId"].(string) + "\n" + subject +
		"Timestamp\n" + m["Timestamp"].(string) + "\nTopicArn\n" + m["TopicArn"].(string) + "\nType\n" + m["Type"].(string) + "\n"
}

// sign adds the signature over a text.
func (a *amazon) sign(t *testing.T, m snsMessage, text string) snsMessage {
	t.Helper()
	algorithm, digest := crypto.SHA256, sha256.New()
	if m["SignatureVersion"] == "1" {
		algorithm, digest = crypto.SHA1, sha1.New()
	}
	digest.Write([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, a.key, algorithm, digest.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	return m.with("Signature", base64.StdEncoding.EncodeToString(signature))
}

func (a *amazon) signed(t *testing.T, m snsMessage) snsMessage {
	t.Helper()
	return a.sign(t, m, m.text())
}

func TestSNS(t *testing.T) {
	const china = "arn:aws-cn:sns:cn-north-1:123456789012:pushes"
	a, c := newAmazon(t), newClock()
	g, m := a.guard(t, c.now, china), notification(c.now())
	confirmation := m.with("Type", "SubscriptionConfirmation", "Token", "2336412f37", "SubscribeURL", "https://"+snsHost+"/?Action=ConfirmSubscription")
	confirmed := a.sign(t, confirmation, strings.NewReplacer(
		"\nTimestamp\n", "\nSubscribeURL\nhttps://"+snsHost+"/?Action=ConfirmSubscription\nTimestamp\n", "\nTopicArn\n", "\nToken\n2336412f37\nTopicArn\n",
	).Replace(confirmation.text()))
	good := a.signed(t, m)
	old, ahead := notification(c.now().Add(-time.Hour-time.Second)), notification(c.now().Add(6*time.Minute))
	chinese := m.with("TopicArn", china, "SigningCertURL", "https://sns.cn-north-1.amazonaws.com.cn/x.pem")
	twice := strings.Replace(good.json(t), `"Message":`, `"Message":"evil","Message":`, 1)
	twiceInCase := strings.Replace(good.json(t), `{`, `{"message":"evil",`, 1)
	twiceInUnicode := strings.Replace(good.json(t), `{`, `{"Meſſage":"evil",`, 1)
	multiline := m.with("MessageId", "1\nSubject\nx")
	for _, tt := range []struct {
		name, body string
		want       int
	}{
		{"version 2", good.json(t), late},
		{"version 1", a.signed(t, m.with("SignatureVersion", "1")).json(t), late},
		{"subject", a.signed(t, m.with("Subject", "s")).json(t), late},
		{"null subject", strings.Replace(good.json(t), `{`, `{"Subject":null,`, 1), late},
		{"confirmation", confirmed.json(t), late},
		{"China", a.signed(t, chinese).json(t), late},
		{"other message", good.with("Message", "x").json(t), refused},
		{"subject added", good.with("Subject", "x").json(t), refused},
		{"subject not a string", strings.Replace(good.json(t), `{`, `{"Subject":{},`, 1), refused},
		{"confirmation's token changed", confirmed.with("Token", "x").json(t), refused},
		{"confirmation's address changed", confirmed.with("SubscribeURL", "https://evil.example/").json(t), refused},
		{"confirmation signed as a notification", a.signed(t, confirmation).json(t), refused},
		{"no message", a.signed(t, m).with("Message", nil).json(t), refused},
		{"another topic", a.signed(t, m.with("TopicArn", topic+"-of-another")).json(t), refused},
		{"another account's topic", a.signed(t, m.with("TopicArn", "arn:aws:sns:eu-west-1:210987654321:pushes")).json(t), refused},
		{"no topic", good.with("TopicArn", nil).json(t), refused},
		{"unknown type", a.signed(t, m.with("Type", "Other")).json(t), refused},
		{"old", a.signed(t, old).json(t), refused},
		{"from the future", a.signed(t, ahead).json(t), refused},
		{"no time", a.signed(t, m.with("Timestamp", "")).json(t), refused},
		{"no signature", m.json(t), refused},
		{"blank signature", m.with("Signature", "").json(t), refused},
		{"signature is no base64", m.with("Signature", "EXAMPLE!").json(t), refused},
		{"version unknown", good.with("SignatureVersion", "3").json(t), refused},
		{"version is a number", good.with("SignatureVersion", 2).json(t), refused},
		{"other version", good.with("SignatureVersion", "1").json(t), refused},
		{"member twice", twice, refused},
		{"member twice, by case", twiceInCase, refused},
		{"member twice, by folding", twiceInUnicode, refused},
		{"lines in an id", a.signed(t, multiline).json(t), refused},
		{"two messages", good.json(t) + good.json(t), refused},
		{"a list", "[" + good.json(t) + "]", refused},
		{"many members", strings.Replace(good.json(t), "{", "{"+manyMembers(), 1), refused},
		{"the event alone", `{"source":"aws.ecr"}`, refused},
		{"nothing", "", refused},
		{"cut", good.json(t)[:200], refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := deliver(t, g, delivery{body: tt.body}); got != tt.want {
				t.Errorf("answered %d, want %d", got, tt.want)
			}
		})
	}
	t.Run("raw delivery", func(t *testing.T) {
		if got := deliver(t, g, delivery{header: head("x-amz-sns-rawdelivery", "true"), body: good.json(t)}); got != refused {
			t.Errorf("answered %d", got)
		}
	})
	if len(a.fetched) != 2 {
		t.Errorf("fetched %v, want each certificate once", a.fetched)
	}
}

func manyMembers() string {
	var b strings.Builder
	for i := range messageFields {
		b.WriteString(`"x` + strconv.Itoa(i) + `":0,`)
	}
	return b.String()
}

// Whoever chooses where the certificate comes from chooses whose signature is
// good: nothing but the files of the topic's own region will do.
func TestSNSHostileCertificateAddress(t *testing.T) {
	a, c := newAmazon(t), newClock()
	g := a.guard(t, c.now)
	for _, address := range []string{
		"",
		"x.pem",
		"/x.pem",
		"//" + snsHost + "/x.pem",
		"http://" + snsHost + "/x.pem",
		"HTTPS://" + snsHost + "/x.pem",
		"https:" + snsHost + "/x.pem",
		"https:///x.pem",
		"file:///etc/ssl/x.pem",
		" https://" + snsHost + "/x.pem",
		"https://" + snsHost + "/x.pem ",
		"https://" + snsHost + "/x.pem\n",
		"https://evil.example/x.pem",
		"https://" + snsHost + ".evil.example/x.pem",
		"https://" + snsHost + "@evil.example/x.pem",
		"https://user:pass@" + snsHost + "/x.pem",
		"https://@" + snsHost + "/x.pem",
		"https://evil.example#@" + snsHost + "/x.pem",
		"https://evil.example/https://" + snsHost + "/x.pem",
		`https://evil.example\@` + snsHost + "/x.pem",
		"https://" + snsHost + `\.evil.example/x.pem`,
		"https://" + snsHost + "%2eevil.example/x.pem",
		"https://" + snsHost + "%00.evil.example/x.pem",
		"https://" + snsHost + "./x.pem",
		"https://" + snsHost + ":443/x.pem",
		"https://" + snsHost + ":8443/x.pem",
		"https://" + snsHost + ":/x.pem",
		"https://SNS.eu-west-1.amazonaws.com/x.pem",
		"https://sns.eu-west-1.amazonaws.com.cn/x.pem",
		"https://sns.us-east-1.amazonaws.com/x.pem", // Amazon's, but not the topic's region
		"https://sns.amazonaws.com/x.pem",
		"https://sns.s3.amazonaws.com/x.pem", // buckets named sns
		"https://sns.s3-eu-west-1.amazonaws.com/x.pem",
		"https://s3.eu-west-1.amazonaws.com/sns/x.pem",
		"https://sns-eu-west-1.amazonaws.com/x.pem",
		"https://sns.eu-west-1.amazonaws.com.evil.example/x.pem",
		"https://evil.sns.eu-west-1.amazonaws.com/x.pem",
		"https://xsns.eu-west-1.amazonaws.com/x.pem",
		"https://[::1]/x.pem",
		"https://127.0.0.1/x.pem",
		"https://" + snsHost,
		"https://" + snsHost + "/",
		"https://" + snsHost + "/.pem",
		"https://" + snsHost + "/x",
		"https://" + snsHost + "/x.pem/",
		"https://" + snsHost + "/x.pem?y",
		"https://" + snsHost + "/x.pem#y",
		"https://" + snsHost + "/x.crt",
		"https://" + snsHost + "/a/x.pem",
		"https://" + snsHost + "/../x.pem",
		"https://" + snsHost + "/..%2fx.pem",
		"https://" + snsHost + "//x.pem",
		"https://" + snsHost + "/?Action=ConfirmSubscription&Token=x.pem", // answers may echo what is asked
		"https://" + snsHost + "/;x.pem",
		"https://" + snsHost + "/ü.pem",
		"https://" + snsHost + "/" + strings.Repeat("x", 129) + ".pem",
	} {
		m := a.signed(t, notification(c.now()).with("SigningCertURL", address))
		if got := deliver(t, g, delivery{body: m.json(t)}); got != refused {
			t.Errorf("%q: answered %d", address, got)
		}
	}
	if len(a.dialled) != 0 {
		t.Errorf("connected to %v", a.dialled)
	}
	if got := deliver(t, g, delivery{body: a.signed(t, notification(c.now())).json(t)}); got != late {
		t.Errorf("the right one: answered %d", got)
	}
	if len(a.dialled) != 1 || a.dialled[0] != snsHost+":443" {
		t.Errorf("connected to %v", a.dialled)
	}
}

// FuzzSNS looks for two messages with one text to sign, and for bodies that the
// guard and the next reader understand differently.
func FuzzSNS(f *testing.F) {
	for _, body := range []string{
		`{"Type":"Notification","MessageId":"1","TopicArn":"` + topic + `","Message":"m","Timestamp":"2026-01-02T03:04:05.678Z"}`,
		`{"Type":"SubscriptionConfirmation","MessageId":"1","TopicArn":"t","Message":"m\nMessageId\n2","Timestamp":"x","Token":"t","SubscribeURL":"u"}`,
		`{"Type":"Notification","MessageId":"1","TopicArn":"t","Message":"a","message":"b","Timestamp":"x","Subject":null}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := parseMessage(body)
		if err != nil {
			return
		}
		var next struct{ Type, MessageID, TopicArn, Message, Timestamp, Subject, Token, SubscribeURL string }
		if err := json.Unmarshal(body, &next); err != nil {
			t.Fatalf("%q is understood by the guard alone: %v", body, err)
		}
		signed, err := m.signed()
		if err != nil {
			return
		}
		for name, value := range map[string]string{
			"Type": next.Type, "TopicArn": next.TopicArn, "Message": next.Message, "Timestamp": next.Timestamp,
			"MessageId": next.MessageID, "Subject": next.Subject,
		} {
			if m[name] != value {
				t.Errorf("%s is %q to the guard, %q to the next reader", name, m[name], value)
			}
		}
		for name, value := range readBack(signed) {
			if m[name] != value {
				t.Errorf("%s was %q, and the text that is signed says %q", name, m[name], value)
			}
		}
	})
}

// readBack reads a text to sign from its end, which can be done in one way only
// if no member but the first has several lines.
func readBack(signed string) map[string]string {
	out := make(map[string]string)
	rest := strings.TrimSuffix(signed, "\n")
	for rest != "" {
		before, value := cutLast(rest)
		before, name := cutLast(before)
		if out[name] = value; name == "MessageId" {
			out["Message"] = strings.TrimPrefix(before, "Message\n")
			break
		}
		rest = before
	}
	return out
}

func cutLast(s string) (before, after string) {
	i := strings.LastIndex(s, "\n")
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+1:]
}
