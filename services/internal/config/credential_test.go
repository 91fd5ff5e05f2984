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
