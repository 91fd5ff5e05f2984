package config

import (
	"path/filepath"
	"regexp"
	"slices"
)

var (
	// What becomes part of a host name or of a request must look like it.
	regionGrammar = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)
	roleGrammar   = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{1,12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$`)
)

// tenantGrammar is that of a directory's id or domain: it becomes part of a path.
var tenantGrammar = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$`)

var envGrammar = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// uses tells which keys a type of credential needs and which it may have.
func (t CredentialType) uses() (needs, may []string) {
	switch t {
	case BasicCredential, HubCredential:
		return []string{"username", "password"}, nil
	case TokenCredential:
		return []string{"token"}, []string{"username"}
	case AWSCredential:
		return nil, []string{"accessKeyId", "secretAccessKey", "sessionToken", "token", "role", "region"}
	case GCPCredential:
		return nil, []string{"key"}
	case AzureCredential:
		return nil, []string{"username", "password", "token", "tenant"}
	case DockerConfigFile:
		return []string{"config"}, nil
	default:
		return nil, nil
	}
}

func (c *checker) credential(path string, cr Credential) {
	c.check(sub(path, "name"), CheckName(cr.Name), "")
	oneOf(c, sub(path, "type"), cr.Type, CredentialTypes())
	secrets := map[string]SecretRef{
		"password": cr.Password, "token": cr.Token, "secretAccessKey": cr.SecretAccessKey,
		"sessionToken": cr.SessionToken, "key": cr.Key, "config": cr.Config,
	}
	has := map[string]bool{
		"username": cr.Username != "", "accessKeyId": cr.AccessKeyID != "", "role": cr.Role != "", "region": cr.Region != "",
		"tenant": cr.Tenant != "",
	}
	for key, ref := range secrets {
		c.secret(sub(path, key), ref)
		has[key] = !ref.IsZero() || c.given(sub(path, key)) // a wrong one was complained of already
	}
	if !slices.Contains(CredentialTypes(), cr.Type) {
		return
	}
	needs, may := cr.Type.uses()
	keys := []string{
		"username", "password", "token", "accessKeyId", "secretAccessKey", "sessionToken", "role", "region", "tenant", "key", "config",
	}
	for _, key := range keys {
		switch at := sub(path, key); {
		case slices.Contains(needs, key) && !has[key]:
			c.add(at, "is missing in a credential of type "+string(cr.Type), "")
		case has[key] && !slices.Contains(needs, key) && !slices.Contains(may, key):
			c.add(at, "has no use in a credential of type "+string(cr.Type), "")
		}
	}
	switch cr.Type {
	case AWSCredential:
		c.aws(path, cr)
	case AzureCredential:
		c.azure(path, cr)
	default:
	}
}

// azure checks that one way to log in is described, whole.
func (c *checker) azure(path string, cr Credential) {
	const why = "is missing in a credential of type azure "
	switch {
	case !cr.Password.IsZero() && !cr.Token.IsZero():
		c.add(sub(path, "token"), "names a second secret beside password", "leave one of them out")
	case !cr.Password.IsZero() && cr.Username == "":
		c.add(sub(path, "username"), why+"with a password", "the service principal's client id")
	case !cr.Token.IsZero() && cr.Username == "":
		c.add(sub(path, "username"), why+"with a token", "the client id whose federated credential the token is for")
	case !cr.Token.IsZero() && cr.Tenant == "":
		c.add(sub(path, "tenant"), why+"with a token", "the directory's id")
	case cr.Tenant != "" && cr.Password.IsZero() && cr.Token.IsZero():
		c.add(sub(path, "tenant"), "has no use without password or token", "leave it out to use the machine's identity")
	}
	if cr.Tenant != "" && !tenantGrammar.MatchString(cr.Tenant) {
		c.add(sub(path, "tenant"), short(cr.Tenant)+" is neither the id nor the domain of a directory", "as 72f988bf-86f1-41af-91ab-2d7cd011db47")
	}
}

// aws checks what an AWS credential says of where and as whom.
func (c *checker) aws(path string, cr Credential) {
	if (cr.AccessKeyID == "") != cr.SecretAccessKey.IsZero() {
		c.add(sub(path, "accessKeyId"), "goes together with secretAccessKey", "leave both out to use the machine's role")
	}
	if !cr.SessionToken.IsZero() && cr.AccessKeyID == "" {
		c.add(sub(path, "sessionToken"), "goes together with accessKeyId and secretAccessKey", "")
	}
	if !cr.Token.IsZero() && (cr.Role == "" || cr.AccessKeyID != "") {
		c.add(sub(path, "token"), "is a web identity, which goes together with role, without keys", "")
	}
	if cr.Region != "" && !regionGrammar.MatchString(cr.Region) {
		c.add(sub(path, "region"), short(cr.Region)+" is not a region", "as eu-central-1; it may be left out where it is in the registry's address")
	}
	if cr.Role != "" && !roleGrammar.MatchString(cr.Role) {
		c.add(sub(path, "role"), "is not the ARN of a role", "as arn:aws:iam::123456789012:role/reader")
	}
}

func (c *checker) secret(path string, r SecretRef) {
	switch {
	case r.IsZero():
		if c.given(path) {
			c.add(path, "refers to nothing", secretHint)
		}
	case r.Env != "" && r.File != "":
		c.add(path, "names both a variable and a file", "leave one of them out")
	case r.Env != "" && !envGrammar.MatchString(r.Env):
		c.add(sub(path, "env"), "is not the name of an environment variable", "letters, digits and underscores")
	case r.File != "" && !filepath.IsLocal(filepath.FromSlash(r.File)):
		c.add(sub(path, "file"), "leaves the secrets folder", "the name of a file in it")
	}
}
