package hook

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"path"
	"strings"
	"text/template"

	"github.com/landwaiter/landwaiter/services/internal/config"
)

// texts are the lines to paste, a file for each kind of sender, named after it
// and the format. A file's first paragraph says where the rest belongs.
//
//go:embed setup/*
var texts embed.FS

// facts are what a text is made of.
type facts struct {
	Name    string // of the registry
	Site    string // where the registry itself is asked, as https://host
	Host    string
	URL     string // to enter; without the secret where headers or a signature prove the sender
	Full    string // the address that ends in the secret: some must show it before their first delivery
	Secret  string
	Signs   bool // the text is to set up a signature
	Headers map[string]string
	Auth    config.WebhookAuth
	NATS    *config.WebhookNATS
	Mapping *config.WebhookMapping
}

// write fills in the lines.
func (s *Setup) write(r config.Registry, full, secret string) error {
	f := facts{
		Name: r.Name, Host: r.Host(), Site: "https://" + r.Host(), URL: s.URL, Full: full, Secret: secret,
		Signs: s.Signing != nil, Headers: s.Headers, Auth: r.Webhook.Auth, NATS: r.Webhook.NATS, Mapping: r.Webhook.Mapping,
	}
	if r.PlainHTTP() {
		f.Site = "http://" + r.Host()
	}
	if f.Signs {
		f.URL = s.Signing.URL
	}
	if r.Kind() == config.Harbor && f.Auth.Type == config.AnyAuth { // it has a field of its own for it
		f.URL, _, _ = cutLast(full)
		f.Headers = map[string]string{authorization: secret}
	}
	name := senderOf(r.Kind()).file
	t, err := template.New(name).Funcs(template.FuncMap{"json": inJSON, "quoted": inQuotes, "ruby": inRuby}).ParseFS(texts, "setup/*")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, f); err != nil {
		return err
	}
	where, text, found := strings.Cut(b.String(), "\n\n")
	if !found {
		return errors.New("text " + name + " has one paragraph")
	}
	s.Lines = Lines{
		Where:  strings.Join(strings.Fields(where), " "),
		Format: Format(strings.TrimPrefix(path.Ext(name), ".")),
		Text:   strings.TrimRight(text, "\n") + "\n",
	}
	return nil
}

// inJSON writes a value as JSON, which a string is in YAML too.
func inJSON(value any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(value)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// inQuotes makes a string fit between a shell's single quotes.
func inQuotes(s string) string { return strings.ReplaceAll(s, "'", `'\''`) }

// inRuby writes a string that Ruby takes as it is.
func inRuby(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
