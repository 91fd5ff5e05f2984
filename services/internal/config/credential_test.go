package config_test

import (
	"strings"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// A region becomes part of a host name: whatever else stands there could lead
// requests elsewhere.
func TestAWSCredential(t *testing.T) {
	for lines, want := range map[string]string{
		"region: eu-central-1":  "",
		"region: us-gov-west-1": "",
		"region: evil.com/#":    "credentials[0].region",
		"region: eu":            "credentials[0].region",
		"role: arn:aws:iam::123456789012:role/path/reader": "",
		"role: arn:aws-cn:iam::123456789012:role/reader":   "",
		"role: reader": "credentials[0].role",
		"role: arn:aws:iam::123456789012:user/reader": "credentials[0].role",
		"accessKeyId: AKID":                           "credentials[0].accessKeyId",
	} {
		_, err := config.Parse("test.yaml", []byte("credentials:\n  - name: a\n    type: aws\n    "+lines+"\n"))
		if got := err != nil; got != (want != "") || got && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", lines, err, want)
		}
	}
}

// Each way to log in is described whole, and one at a time.
func TestCredentialWays(t *testing.T) {
	const secret = ": {env: X}"
	for lines, want := range map[string]string{
		"type: azure":                                   "",
		"type: azure, username: app":                    "",
		"type: azure, username: app, password" + secret: "",
		"type: azure, username: app, password" + secret + ", tenant: contoso.example":                           "",
		"type: azure, username: app, token" + secret + ", tenant: contoso.example":                              "",
		"type: azure, password" + secret:                                                                        "credentials[0].username",
		"type: azure, token" + secret + ", tenant: contoso.example":                                             "credentials[0].username",
		"type: azure, username: app, token" + secret:                                                            "credentials[0].tenant",
		"type: azure, tenant: contoso.example":                                                                  "credentials[0].tenant",
		"type: azure, username: app, password" + secret + ", tenant: ../x":                                      "credentials[0].tenant",
		"type: azure, username: app, tenant: x, password" + secret + ", token" + secret:                         "credentials[0].token",
		"type: azure, key" + secret:                                                                             "credentials[0].key",
		"type: aws, role: arn:aws:iam::1:role/x, token" + secret:                                                "",
		"type: aws, token" + secret:                                                                             "credentials[0].token",
		"type: aws, accessKeyId: A, secretAccessKey" + secret + ", sessionToken" + secret:                       "",
		"type: aws, sessionToken" + secret:                                                                      "credentials[0].sessionToken",
		"type: aws, accessKeyId: A, secretAccessKey" + secret + ", role: arn:aws:iam::1:role/x":                 "",
		"type: aws, accessKeyId: A, secretAccessKey" + secret + ", role: arn:aws:iam::1:role/x, token" + secret: "credentials[0].token",
		"type: gcp": "",
		"type: basic, username: u, password" + secret + ", tenant: x": "credentials[0].tenant",
	} {
		_, err := config.Parse("test.yaml", []byte("credentials:\n  - {name: a, "+lines+"}\n"))
		if got := err != nil; got != (want != "") || got && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", lines, err, want)
		}
	}
}
