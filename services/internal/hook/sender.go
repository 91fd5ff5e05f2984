package hook

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// sender is what the registries of a type can do when they send.
type sender struct {
	name    string // as people call it
	file    string // of its text
	headers string // those it can be told to send: one by its name, * for any, blank for none
	// signature is the header of its signatures, blank where it cannot sign.
	signature, algorithm string
	// host is where it is run by its makers: it sends over the internet then. A
	// part that begins with a dot ends host names; * is any.
	host string
	// https says that it takes no other addresses.
	https bool
}

const (
	hmacSHA256      = "hmac-sha256"
	hmacSHA1        = "hmac-sha1"
	githubSignature = "X-Hub-Signature-256"
)

// senderOf is what registries of the type can do.
func senderOf(kind config.RegistryType) sender {
	distribution := sender{name: "the registry", file: "oci.yaml", headers: "*"}
	google := sender{name: "Google", file: "gar.shell", host: "*", https: true}
	return map[config.RegistryType]sender{
		config.OCI:       distribution,
		config.DockerHub: {name: "Docker Hub", file: "dockerhub.text", host: "*"},
		config.Quay:      {name: "Quay", file: "quay.text", host: "quay.io"},
		config.ACR:       {name: "Azure", file: "acr.shell", headers: "*", host: "*", https: true},
		config.MSR:       {name: "MSR", file: "msr.shell"},
		config.Harbor:    {name: "Harbor", file: "harbor.shell", headers: authorization},
		config.ECR:       {name: "AWS", file: "ecr.shell", headers: "*", host: "*", https: true},
		config.GCR:       google,
		config.GAR:       google,
		config.GHCR:      {name: "GitHub", file: "ghcr.shell", signature: githubSignature, algorithm: hmacSHA256, host: "ghcr.io"},
		config.GitLab:    {name: "GitLab", file: "gitlab.ruby", headers: "*"},
		config.JFrog: {
			name: "JFrog", file: "jfrog.shell", headers: "*",
			signature: "X-JFrog-Event-Auth", algorithm: hmacSHA256, host: ".jfrog.io",
		},
		config.Nexus:     {name: "Nexus", file: "nexus.text", signature: "X-Nexus-Webhook-Signature", algorithm: hmacSHA1},
		config.OpenShift: {name: "OpenShift", file: "openshift.yaml", headers: "*"},
		config.Alibaba:   {name: "Alibaba Cloud", file: "alibaba.text", host: "*", https: true},
		config.Zot:       {name: "zot", file: "zot.json", headers: "*"},
		config.Gitea: {
			name: "Gitea", file: "gitea.shell", headers: authorization,
			signature: "X-Gitea-Signature", algorithm: hmacSHA256,
		},
		config.CloudEvents: {name: "the sender", file: "cloudevents.text", headers: "*"},
		config.Generic:     {name: "the sender", file: "generic.text", headers: "*"},
	}[kind]
}

// online reports whether the sender is somewhere on the internet.
func (s sender) online(host string) bool {
	if strings.HasPrefix(s.host, ".") {
		return strings.HasSuffix(host, s.host)
	}
	return s.host == "*" || s.host != "" && s.host == host
}

// headersOf are the headers that prove who sends.
func headersOf(a config.WebhookAuth, secret string) map[string]string {
	switch a.Type {
	case config.HeaderAuth:
		if a.Header != "" {
			return map[string]string{a.Header: secret}
		}
		return map[string]string{authorization: secret}
	case config.BearerAuth:
		return map[string]string{authorization: "Bearer " + secret}
	case config.BasicAuth:
		user := cmp.Or(a.Username, "landwaiter") // where any will do
		return map[string]string{authorization: "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+secret))}
	default:
		return nil
	}
}

const authorization = "Authorization"

// reachNotes tell what keeps the sender from the address.
func reachNotes(r config.Registry, address *url.URL) []string {
	from, host := senderOf(r.Kind()), r.Host()
	online := from.online(host)
	var notes []string
	switch {
	case config.IsLoopback(address.Host) && (online || !config.IsLoopback(host)), online && private(address):
		notes = append(notes, fmt.Sprintf("%s cannot be reached from %s: set LANDWAITER_PUBLIC_INGEST to the address under which ingest is",
			address.Host, from.place(host)))
	}
	if address.Scheme == "http" && from.https {
		notes = append(notes, from.name+" takes https addresses only: set LANDWAITER_PUBLIC_INGEST to one")
	} else if address.Scheme == "http" && online {
		notes = append(notes, "the address is plain HTTP: whoever is on the way reads what proves the sender")
	}
	return notes
}

func (s sender) place(host string) string {
	if s.online(host) {
		return "the internet, where " + s.name + " sends from"
	}
	return "another machine, such as " + host
}

// private reports whether an address is of a network that is not the internet.
func private(address *url.URL) bool {
	ip, err := netip.ParseAddr(address.Hostname())
	return err == nil && (ip.IsPrivate() || ip.IsLinkLocalUnicast())
}

// proofNotes tell what deliveries are let in by where that is not to be seen
// from the address, and whether the sender can do it.
func proofNotes(r config.Registry, from sender) []string {
	a := r.Webhook.Auth
	able := true
	var note string
	switch a.Type {
	case config.HeaderAuth, config.BasicAuth, config.BearerAuth:
		able = from.headers == "*" || from.headers == authorization && cmp.Or(a.Header, authorization) == authorization
	case config.HMACAuth:
		able = from.signature != "" || from.file == "generic.text" || from.file == "cloudevents.text"
	case config.JWTAuth:
		note = fmt.Sprintf("each delivery needs a bearer token of %s for %s, given to %s", a.Issuer, a.Audience, strings.Join(a.Subjects, " or "))
	case config.SNSAuth:
		note = "only what Amazon SNS signed for " + strings.Join(a.Topics, " or ") + " is taken"
		able = r.Kind() == config.ECR
	case config.MTLSAuth:
		note = "each delivery needs a client certificate of " + strings.Join(a.Subjects, " or ") + " (LANDWAITER_INGEST_TLS_CLIENT_CA)"
	case config.AnyAuth, config.PathAuth:
	}
	if !able {
		note = fmt.Sprintf("%s cannot prove itself in the way webhook.auth asks for (%s): nothing it sends will be taken", from.name, a.Type)
	}
	if note == "" {
		return nil
	}
	return []string{note}
}
