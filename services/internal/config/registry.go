package config

// RegistryType is the kind of a registry. It decides only how catalogs are
// listed, where push dates and tokens come from, and how webhooks look.
type RegistryType string

// The registry types.
const (
	OCI       RegistryType = "oci"
	DockerHub RegistryType = "dockerhub"
	Quay      RegistryType = "quay"
	ACR       RegistryType = "acr"
	MSR       RegistryType = "msr"
	Harbor    RegistryType = "harbor"
	ECR       RegistryType = "ecr"
	GCR       RegistryType = "gcr"
	GAR       RegistryType = "gar"
	GHCR      RegistryType = "ghcr"
	GitLab    RegistryType = "gitlab"
	JFrog     RegistryType = "jfrog"
	Nexus     RegistryType = "nexus"
	OpenShift RegistryType = "openshift"
	Alibaba   RegistryType = "alibaba"
	Zot       RegistryType = "zot"
	// Registries that differ from oci only in how their webhooks look.
	Gitea       RegistryType = "gitea"       // Gitea and Forgejo
	CloudEvents RegistryType = "cloudevents" // any sender of CloudEvents
	Generic     RegistryType = "generic"     // any JSON, read by webhook.mapping
)

// RegistryTypes lists every registry type.
func RegistryTypes() []RegistryType {
	return []RegistryType{
		OCI, DockerHub, Quay, ACR, MSR, Harbor, ECR, GCR, GAR, GHCR, GitLab, JFrog, Nexus, OpenShift, Alibaba, Zot,
		Gitea, CloudEvents, Generic,
	}
}

// Registry is one configured registry.
type Registry struct {
	Name       string       `json:"name"`
	Type       RegistryType `json:"type,omitempty"`       // blank: dockerhub without an address, else oci
	Address    string       `json:"address,omitempty"`    // [http://|https://]host[:port]; blank: Docker Hub
	Credential string       `json:"credential,omitempty"` // name of a credential; blank: anonymous
	TLS        TLS          `json:"tls,omitzero"`
	Proxy      string       `json:"proxy,omitempty"`   // URL (http, https, socks5); blank: as the environment says
	NoProxy    []string     `json:"noProxy,omitempty"` // what is asked without a proxy, as in NO_PROXY; at most 100; *: everything
	// TokenServers are the hosts, host[:port], to which the registry may send us
	// for tokens, with its credential, beside those of its own domain; at most 100.
	TokenServers []string `json:"tokenServers,omitempty"`
	Limits       Limits   `json:"limits,omitzero"`
	Webhook      Webhook  `json:"webhook,omitzero"`
	Trust        string   `json:"trust,omitempty"` // group that shares layer inventories; blank: "default"
}

// Kind is the registry's type, which a blank one leaves to the address.
func (r Registry) Kind() RegistryType {
	switch {
	case r.Type != "":
		return r.Type
	case r.Address == "":
		return DockerHub
	default:
		return OCI
	}
}

// Destination is where which credential is sent, as "reader to
// https://registry.example.com"; blank: there is no credential.
func (r Registry) Destination() string {
	if r.Credential == "" {
		return ""
	}
	scheme := "https"
	if r.PlainHTTP() {
		scheme = "http"
	}
	return r.Credential + " to " + scheme + "://" + r.Host()
}

// TLS holds paths of PEM files for the connection to a registry.
type TLS struct {
	CA                 string `json:"ca,omitempty"`   // trusted in addition to the system's authorities
	Cert               string `json:"cert,omitempty"` // client certificate, together with Key
	Key                string `json:"key,omitempty"`
	InsecureSkipVerify bool   `json:"insecureSkipVerify,omitempty"` // accept any certificate
}

// Limits bound what is asked of a registry. Zero means the client's default.
type Limits struct {
	RequestsPerSecond float64 `json:"requestsPerSecond,omitempty"`
	Concurrency       int     `json:"concurrency,omitempty"` // requests in flight, open layer downloads included
}

// DefaultTrust is the trust group of a registry that names none.
const DefaultTrust = "default"

// TrustGroup is the group of registries that share layer inventories.
func (r Registry) TrustGroup() string {
	if r.Trust == "" {
		return DefaultTrust
	}
	return r.Trust
}
