package config

// CredentialType says how a credential proves who asks.
type CredentialType string

// The credential types.
const (
	NoCredential     CredentialType = "none"
	BasicCredential  CredentialType = "basic"        // username and password
	TokenCredential  CredentialType = "token"        // token, with a name in username where the registry gives one (Quay's robots, GitLab); without one, an OAuth token at Quay and a bearer token elsewhere
	HubCredential    CredentialType = "dockerhub"    // username, and a password or access token in password
	AWSCredential    CredentialType = "aws"          // accessKeyId, secretAccessKey and, of a session, sessionToken; or token and role, a web identity; or the machine's role; with role, the keys of that one; region where the address does not tell
	GCPCredential    CredentialType = "gcp"          // service account JSON in key, or the machine's identity; registries of another type than gar and gcr get the key as a password
	AzureCredential  CredentialType = "azure"        // service principal: client id in username, client secret in password, with tenant by way of Entra; or a federated token in token, with tenant; or the machine's identity, of the client id in username where it has several
	DockerConfigFile CredentialType = "dockerconfig" // a docker config.json in config; its auths only, no programs are run
)

// CredentialTypes lists every credential type.
func CredentialTypes() []CredentialType {
	return []CredentialType{
		NoCredential, BasicCredential, TokenCredential, HubCredential,
		AWSCredential, GCPCredential, AzureCredential, DockerConfigFile,
	}
}

// Credential is a named reference to secrets.
type Credential struct {
	Name            string         `json:"name"`
	Type            CredentialType `json:"type"`
	Username        string         `json:"username,omitempty"`
	Password        SecretRef      `json:"password,omitzero"`
	Token           SecretRef      `json:"token,omitzero"`
	AccessKeyID     string         `json:"accessKeyId,omitempty"`
	SecretAccessKey SecretRef      `json:"secretAccessKey,omitzero"`
	SessionToken    SecretRef      `json:"sessionToken,omitzero"`
	Role            string         `json:"role,omitempty"`
	Region          string         `json:"region,omitempty"`
	Tenant          string         `json:"tenant,omitempty"`
	Key             SecretRef      `json:"key,omitzero"`
	Config          SecretRef      `json:"config,omitzero"`
}

// Resolved is a credential with its secrets read. Its zero value is anonymous.
type Resolved struct {
	Name            string
	Type            CredentialType
	Sources         string // where its secrets stand, for messages; blank: it has none
	Username        string
	Password        Secret
	Token           Secret
	AccessKeyID     string
	SecretAccessKey Secret
	SessionToken    Secret
	Role            string
	Region          string
	Tenant          string
	Key             Secret
	Config          Secret
}
