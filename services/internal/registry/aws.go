package registry

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

const (
	ecrEarly = time.Hour       // of twelve
	awsEarly = 5 * time.Minute // of the hour of an assumed role

	sessionName = "landwaiter" // in Amazon's logs
)

// ecrHost takes a registry's host apart, as
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html writes it.
var ecrHost = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com|amazonaws\.com\.cn|on\.aws)$`)

// ecr asks Amazon's registry service: for the password of the registry's login,
// for its repositories and for its images. Requests are signed, and no secret
// is sent.
type ecr struct {
	api     *api
	account string // blank: the credential's own
	region  string
	cred    config.Resolved

	mu   sync.Mutex
	keys aws.CredentialsProvider // made at the first request
}

func newECR(c *Client, cfg config.Registry, cred config.Resolved) (*ecr, error) {
	e := &ecr{region: cred.Region, cred: cred}
	suffix, fips := "amazonaws.com", ""
	if m := ecrHost.FindStringSubmatch(cfg.Host()); m != nil {
		e.account, fips, e.region = m[1], m[2], m[3]
		if strings.HasSuffix(m[4], ".cn") {
			suffix = m[4]
		}
	}
	if e.region == "" {
		return nil, fmt.Errorf("%w: the region is not part of the address %s: set region in the credential", ErrInvalid, cfg.Host())
	}
	service := "api.ecr."
	if fips != "" {
		service = "ecr-fips."
	}
	e.api = newAPI(c, "https://"+service+e.region+"."+suffix, e.sign)
	e.api.explain = explainECR
	return e, nil
}

// newECRLogin logs in with passwords that hold for twelve hours.
func newECRLogin(c *Client, cfg config.Registry, cred config.Resolved) (authn.Authenticator, error) {
	e, err := newECR(c, cfg, cred)
	if err != nil {
		return nil, err
	}
	return &ecrLogin{ecr: e, renewing: newRenewing(ecrEarly, e.login).of(cred.Name)}, nil
}

// ecrLogin is the login, and the service it comes from.
type ecrLogin struct {
	*renewing

	ecr *ecr
}

// login asks for a password:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
func (e *ecr) login(ctx context.Context) (authn.AuthConfig, time.Time, error) {
	var answer struct {
		Data []struct {
			Token     string  `json:"authorizationToken"`
			ExpiresAt float64 `json:"expiresAt"` // seconds
		} `json:"authorizationData"`
	}
	if err := e.call(ctx, target{op: "log in at ECR"}, "GetAuthorizationToken", struct{}{}, &answer); err != nil {
		return authn.AuthConfig{}, time.Time{}, err
	}
	if len(answer.Data) == 0 {
		return authn.AuthConfig{}, time.Time{}, fmt.Errorf("%w: ECR gave no token", ErrInvalid)
	}
	raw, err := base64.StdEncoding.DecodeString(answer.Data[0].Token)
	user, password, found := strings.Cut(string(raw), ":")
	if err != nil || !found {
		return authn.AuthConfig{}, time.Time{}, fmt.Errorf("%w: ECR's token is not base64(username:password)", ErrInvalid)
	}
	return authn.AuthConfig{Username: user, Password: password}, epoch(answer.Data[0].ExpiresAt), nil
}

// epoch reads a time as Amazon writes it.
func epoch(seconds float64) time.Time {
	if seconds <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC()
}

// call sends one request of ECR's JSON protocol.
func (e *ecr) call(ctx context.Context, t target, action string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	header := http.Header{
		"Content-Type": {"application/x-amz-json-1.1"},
		"X-Amz-Target": {"AmazonEC2ContainerRegistry_V20150921." + action},
	}
	_, err = e.api.call(ctx, t, question{method: http.MethodPost, path: "/", header: header, body: body}, out)
	return err
}

// sign signs a request:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
func (e *ecr) sign(ctx context.Context, req *http.Request, body []byte) error {
	provider, err := e.provider(ctx)
	if err != nil {
		return err
	}
	keys, err := provider.Retrieve(ctx)
	if err != nil {
		return e.noKeys(ctx, err)
	}
	sum := sha256.Sum256(body)
	return v4.NewSigner().SignHTTP(ctx, keys, req, hex.EncodeToString(sum[:]), "ecr", e.region, time.Now())
}

// noKeys says which of the ways to keys failed. The SDK's own messages quote
// requests.
func (e *ecr) noKeys(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	how := "the machine's role gave no keys, and there are none in the environment"
	if file := os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"); file != "" && e.cred.AccessKeyID == "" && e.cred.Token.IsZero() {
		if _, err := readFile(file); err != nil {
			how = "the web identity in AWS_WEB_IDENTITY_TOKEN_FILE cannot be read"
		}
	}
	if e.cred.Role != "" {
		how = "the role " + cut(e.cred.Role) + " could not be assumed"
	}
	var refused interface{ ErrorCode() string }
	if errors.As(err, &refused) && refused.ErrorCode() != "" {
		return fmt.Errorf("%w: %s: %s", ErrUnauthorized, how, cut(refused.ErrorCode()))
	}
	if down := e.api.client.guard.proxies.down(&url.URL{Scheme: "https", Host: "sts." + e.region + ".amazonaws.com"}, err); down != nil {
		return fmt.Errorf("%s: %w", how, down)
	}
	return &Unavailable{Reason: how}
}

// provider finds the keys: those of the credential, else those of the machine:
// environment, container, workload identity or instance, as
// https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
// orders them; and with them those of the role.
func (e *ecr) provider(ctx context.Context) (aws.CredentialsProvider, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.keys != nil {
		return e.keys, nil
	}
	options := []func(*awsconfig.LoadOptions) error{awsconfig.WithRegion(e.region), awsconfig.WithHTTPClient(e.api.client.guard.plain())}
	if e.cred.AccessKeyID != "" {
		static := credentials.NewStaticCredentialsProvider(e.cred.AccessKeyID, e.cred.SecretAccessKey.Reveal(), e.cred.SessionToken.Reveal())
		options = append(options, awsconfig.WithCredentialsProvider(static))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("%w: the machine's AWS configuration cannot be read", ErrInvalid)
	}
	e.keys = cfg.Credentials
	switch {
	case !e.cred.Token.IsZero():
		// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
		role := stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(cfg), e.cred.Role, webIdentity(e.cred.Token.Reveal()),
			func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = sessionName })
		e.keys = aws.NewCredentialsCache(role, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = awsEarly })
	case e.cred.Role != "":
		role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), e.cred.Role, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = sessionName
		})
		e.keys = aws.NewCredentialsCache(role, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = awsEarly })
	}
	return e.keys, nil
}

// webIdentity is a token that somebody else vouches for us with. Who replaces
// it replaces the client, too.
type webIdentity string

// GetIdentityToken is the token.
func (w webIdentity) GetIdentityToken() ([]byte, error) { return []byte(w), nil }

// explainECR reads the name of an error, which Amazon sends with status 400:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
func explainECR(_ int, raw []byte) error {
	var answer struct {
		Type string `json:"__type"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil //nolint:nilerr // then its status is all it says
	}
	name := answer.Type[strings.LastIndexByte(answer.Type, '#')+1:]
	switch name {
	case "RepositoryNotFoundException", "RegistryNotFoundException", "ImageNotFoundException":
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	case "ThrottlingException", "LimitExceededException":
		return &Unavailable{Reason: name, Paused: true}
	case "ServerException":
		return &Unavailable{Reason: name}
	case "AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId",
		"InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationTokenException", "OptInRequired":
		return fmt.Errorf("%w: %s", ErrUnauthorized, name)
	default:
		return nil
	}
}

// catalog lists repositories:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html
func (e *ecr) catalog(ctx context.Context, _ scope, at string, n int) ([]string, string, error) {
	var answer struct {
		Repositories []struct {
			Name string `json:"repositoryName"`
		} `json:"repositories"`
		Next string `json:"nextToken"`
	}
	in := map[string]any{"maxResults": atMost(n, largestPage)}
	if err := e.call(ctx, target{op: "list repositories"}, "DescribeRepositories", e.from(in, at), &answer); err != nil {
		return nil, "", err
	}
	page := make([]string, 0, len(answer.Repositories))
	for _, r := range answer.Repositories {
		page = append(page, r.Name)
	}
	return page, answer.Next, nil
}

// tags lists the images that have any:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
func (e *ecr) tags(ctx context.Context, repo, at string, _ int) ([]Tag, string, error) {
	var answer struct {
		Images []struct {
			Digest   string   `json:"imageDigest"`
			Tags     []string `json:"imageTags"`
			PushedAt float64  `json:"imagePushedAt"` // seconds
		} `json:"imageDetails"`
		Next string `json:"nextToken"`
	}
	in := map[string]any{"repositoryName": repo, "maxResults": largestPage, "filter": map[string]string{"tagStatus": "TAGGED"}}
	if err := e.call(ctx, target{op: "list tags", repo: repo}, "DescribeImages", e.from(in, at), &answer); err != nil {
		return nil, "", err
	}
	var page []Tag
	for _, i := range answer.Images {
		for _, tag := range i.Tags {
			page = append(page, Tag{Name: tag, Digest: i.Digest, Pushed: epoch(i.PushedAt)})
		}
	}
	return page, answer.Next, nil
}

func (e *ecr) from(in map[string]any, at string) map[string]any {
	if e.account != "" {
		in["registryId"] = e.account
	}
	if at != "" {
		in["nextToken"] = at
	}
	return in
}
