package events

import (
	"cmp"
	"errors"
	"time"
)

// ImageRequested asks for one image to be planned and scanned, on behalf of a
// user. Its request record holds what became of it.
type ImageRequested struct {
	Request    string   `json:"request"` // request id, names the record
	Registry   string   `json:"registry"`
	Repository string   `json:"repository"`
	Tag        string   `json:"tag,omitempty"`
	Digest     Digest   `json:"digest,omitempty"`
	Platforms  []string `json:"platforms,omitempty"` // os[/architecture[/variant]]; none: all
	Force      bool     `json:"force,omitempty"`     // scan again what is known
	Refetch    bool     `json:"refetch,omitempty"`   // and read layers again that were read before
	Actor      string   `json:"actor,omitempty"`
}

func (d ImageRequested) kind() Kind      { return KindImageRequested }
func (d ImageRequested) route() []string { return []string{d.Registry} }

func (d ImageRequested) about() string {
	if d.Digest != "" {
		return d.Registry + "/" + d.Repository + "@" + string(d.Digest)
	}
	return d.Registry + "/" + d.Repository + ":" + d.Tag
}

func (d ImageRequested) validate() error {
	errs := []error{
		check(tokenForm.MatchString(d.Request), "request", d.Request),
		check(ValidName(d.Registry), "registry", d.Registry),
		check(ValidRepository(d.Repository), "repository", d.Repository),
		check(d.Tag != "" || d.Digest != "", "reference without tag or digest", d.Repository),
		check(d.Tag == "" || ValidTag(d.Tag), "tag", d.Tag),
		checkEach(validPlatform, "platform", d.Platforms),
	}
	if d.Digest != "" {
		errs = append(errs, checkDigest("digest", d.Digest))
	}
	return errors.Join(errs...)
}

// SweepRequested asks for one run of a rule over its registry's catalog. The
// sweep's record, created if absent under its key, makes it run once.
type SweepRequested struct {
	Sweep string    `json:"sweep"`          // key of the sweep's record: rule and due time
	Rule  string    `json:"rule,omitempty"` // blank: the record says what to sweep
	DueAt time.Time `json:"dueAt"`
}

// SweepKey names the one sweep of a rule that was due at a moment.
func SweepKey(rule string, due time.Time) string {
	return rule + "." + due.UTC().Format("20060102T150405Z")
}

// noRule stands in the subject for the rule of a sweep that has none. No rule
// can be named so.
const noRule = "-"

func (d SweepRequested) kind() Kind      { return KindSweepRequested }
func (d SweepRequested) route() []string { return []string{cmp.Or(d.Rule, noRule)} }
func (d SweepRequested) about() string   { return d.Sweep }

func (d SweepRequested) validate() error {
	return errors.Join(
		check(d.Rule == "" || ValidName(d.Rule), "rule", d.Rule),
		check(validKey(d.Sweep), "sweep", d.Sweep),
		check(!d.DueAt.IsZero(), "dueAt", ""),
	)
}

// ScanRequested is a wake-up: look at this job's record. It may be lost,
// repeated or stale without harm.
type ScanRequested struct {
	Digest     Digest `json:"digest"`
	Generation uint64 `json:"generation"`
	Lane       Lane   `json:"lane"`
	OS         string `json:"os"`
	Pool       string `json:"pool"`
}

func (d ScanRequested) kind() Kind      { return KindScanRequested }
func (d ScanRequested) route() []string { return []string{string(d.Lane), d.OS, d.Pool} }
func (d ScanRequested) about() string   { return string(d.Digest) }

func (d ScanRequested) validate() error {
	return errors.Join(
		checkDigest("digest", d.Digest),
		check(d.Lane.valid(), "lane", string(d.Lane)),
		check(osForm.MatchString(d.OS), "os", d.OS),
		check(ValidName(d.Pool), "pool", d.Pool),
	)
}

// VerdictRequested asks for an image's stored inventory to be compared again
// with the current database and policy. Nothing is pulled.
type VerdictRequested struct {
	Digest   Digest `json:"digest"`
	Database string `json:"database"` // version it is to be compared with
}

func (d VerdictRequested) kind() Kind      { return KindVerdictRequested }
func (d VerdictRequested) route() []string { return nil }
func (d VerdictRequested) about() string   { return string(d.Digest) }
func (d VerdictRequested) validate() error { return checkDigest("digest", d.Digest) }
