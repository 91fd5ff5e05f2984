package config

// Webhook says what to do with what a registry sends, and how it proves that
// it is the sender.
type Webhook struct {
	Enabled *bool     `json:"enabled,omitempty"` // whether pushes start scans; nil: as the defaults say
	Secret  SecretRef `json:"secret,omitzero"`   // zero: one is generated
	// PreviousSecret is valid beside Secret, for as long as senders are being
	// changed over.
	PreviousSecret SecretRef   `json:"previousSecret,omitzero"`
	Auth           WebhookAuth `json:"auth,omitzero"`
	// DeliveriesPerSecond is how many are taken in the long run, ten times as
	// many at once; 0: the service's default. The others are told to come again.
	DeliveriesPerSecond float64 `json:"deliveriesPerSecond,omitempty"`
	// Repositories gives the first part of pull references for each of the
	// sender's own repository names, where it has such (jfrog, nexus); with it
	// only these are taken.
	Repositories map[string]string `json:"repositories,omitempty"`
	Mapping      *WebhookMapping   `json:"mapping,omitempty"` // of type generic
	NATS         *WebhookNATS      `json:"nats,omitempty"`    // of type zot, beside HTTP
}

// WebhookAuthType says how deliveries prove who sends them.
type WebhookAuthType string

// The ways of authentication.
const (
	AnyAuth    WebhookAuthType = ""       // the secret in the path, or what the type's senders do with it: a header or a signature
	PathAuth   WebhookAuthType = "path"   // the secret ends the address
	HeaderAuth WebhookAuthType = "header" // the secret is the value of Header
	BasicAuth  WebhookAuthType = "basic"  // Username and the secret as password
	BearerAuth WebhookAuthType = "bearer" // the secret is a bearer token
	HMACAuth   WebhookAuthType = "hmac"   // the body is signed with the secret as the type's senders do, else as GitHub's
	JWTAuth    WebhookAuthType = "jwt"    // a bearer token that Issuer signed (Google OIDC, Microsoft Entra)
	SNSAuth    WebhookAuthType = "sns"    // signed by Amazon SNS for one of Topics
	MTLSAuth   WebhookAuthType = "mtls"   // a client certificate with one of Subjects
)

// WebhookAuthTypes lists every way but the blank one.
func WebhookAuthTypes() []WebhookAuthType {
	return []WebhookAuthType{PathAuth, HeaderAuth, BasicAuth, BearerAuth, HMACAuth, JWTAuth, SNSAuth, MTLSAuth}
}

// WebhookAuth is one way of authentication. A type that is given is the only
// one accepted.
type WebhookAuth struct {
	Type     WebhookAuthType `json:"type,omitempty"`
	Header   string          `json:"header,omitempty"`   // header: its name; blank: Authorization
	Username string          `json:"username,omitempty"` // basic; blank: any
	Issuer   string          `json:"issuer,omitempty"`   // jwt: the token's iss, an https URL
	Audience string          `json:"audience,omitempty"` // jwt: one of the token's aud
	Keys     string          `json:"keys,omitempty"`     // jwt: file with the issuer's keys (JWKS); blank: fetched from the issuer
	Subjects []string        `json:"subjects,omitempty"` // jwt: accepted email (verified), azp or sub; mtls: DNS names or common names
	Topics   []string        `json:"topics,omitempty"`   // sns: accepted topic ARNs
}

// WebhookMapping tells where the parts of an event stand in a JSON body, as
// JSONPath queries (RFC 9535). What a query does not find is absent.
type WebhookMapping struct {
	Events     string            `json:"events,omitempty"` // finds each event; the others are asked of what it finds. Blank: the body is one
	ID         string            `json:"id,omitempty"`     // the sender's delivery id
	Repository string            `json:"repository"`
	Tag        string            `json:"tag,omitempty"`
	Digest     string            `json:"digest,omitempty"`
	MediaType  string            `json:"mediaType,omitempty"`
	Action     string            `json:"action,omitempty"`  // blank: all are pushes
	Actions    map[string]string `json:"actions,omitempty"` // the sender's words for push, delete, pull and other
	Actor      string            `json:"actor,omitempty"`
	Time       string            `json:"time,omitempty"`
}

// WebhookNATS is a NATS subject that a registry publishes its events to.
type WebhookNATS struct {
	URL     string `json:"url"` // as nats://host:4222
	Subject string `json:"subject"`
	// Stream is the JetStream stream that captures the subject; blank: the
	// subject is read as it passes, and what passes while ingest is away is lost.
	Stream      string `json:"stream,omitempty"`
	Credentials string `json:"credentials,omitempty"` // NATS credentials file
}
