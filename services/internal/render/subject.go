package render

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

const (
	toolName = "landwaiter"
	toolURL  = "https://landwaiter.dev"
)

// reference is the image as it is pulled: host/repository@digest, or the
// digest alone where no place is known.
func reference(i verdict.Image) string {
	name := strings.Trim(i.Host+"/"+i.Repository, "/")
	if name == "" {
		return i.Digest
	}
	return name + "@" + i.Digest
}

// imagePURL is the image's package URL, as the purl specification has it for
// OCI: named by the last part of its repository.
func imagePURL(i verdict.Image) string {
	last := i.Repository[strings.LastIndexByte(i.Repository, '/')+1:]
	if last == "" {
		last = "image"
	}
	values := url.Values{}
	if i.Repository != "" {
		values.Set("repository_url", strings.Trim(i.Host+"/"+i.Repository, "/"))
	}
	if i.Platform.Architecture != "" {
		values.Set("arch", i.Platform.Architecture)
	}
	purl := "pkg:oci/" + url.PathEscape(strings.ToLower(last)) + "@" + url.QueryEscape(i.Digest)
	if len(values) > 0 {
		purl += "?" + values.Encode()
	}
	return purl
}

// when is the moment the report speaks of; zero: it has none.
func when(r verdict.Report) time.Time {
	if r.MatchedAt.After(r.ScannedAt) {
		return r.MatchedAt.UTC()
	}
	return r.ScannedAt.UTC()
}

func stamp(t time.Time) string { return t.Format(time.RFC3339) }

// gaps is what the report did not look at, empty only where it saw everything.
func gaps(r verdict.Report) []verdict.Note {
	if !r.Completeness.Complete && len(r.Completeness.Notes) == 0 {
		return []verdict.Note{{Code: "incomplete", Message: "not everything was looked at"}}
	}
	return r.Completeness.Notes
}

// gapText is a note in one line.
func gapText(n verdict.Note) string {
	text := n.Code + ": " + n.Message
	if n.Layer != "" {
		text += " (layer " + n.Layer + ")"
	}
	return text
}

func advisoryURL(id string) string { return "https://osv.dev/vulnerability/" + url.PathEscape(id) }

// identity is a UUID that stays the same for the same report and differs for
// every other.
func identity(r verdict.Report) (string, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	u := sha256.Sum256(raw)
	u[6] = u[6]&0x0f | 0x80 // version 8: of our own making
	u[8] = u[8]&0x3f | 0x80 // the variant of RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16]), nil
}

// names gives each package a name that no other package of the report has: its
// purl, and where several have the same, their number.
func names(packages []verdict.Package) []string {
	seen := make(map[string]int, len(packages))
	out := make([]string, len(packages))
	for i, p := range packages {
		seen[p.PURL]++
		out[i] = p.PURL
		if n := seen[p.PURL]; n > 1 {
			out[i] = fmt.Sprintf("%s#%d", p.PURL, n)
		}
	}
	return out
}

// found finds the package that a finding is in.
type found map[string][]verdict.Package

func index(packages []verdict.Package) found {
	out := make(found, len(packages))
	for _, p := range packages {
		out[p.PURL] = append(out[p.PURL], p)
	}
	return out
}

// of is the package of the finding's layer where several have its purl; zero
// where none has.
func (f found) of(finding verdict.Finding) verdict.Package {
	all := f[finding.Package]
	for _, p := range all {
		if p.Layer.Index == finding.Layer.Index {
			return p
		}
	}
	if len(all) == 0 {
		return verdict.Package{}
	}
	return all[0]
}

// flaw is one vulnerability with all its findings, in the report's order.
type flaw struct {
	id       string
	worst    verdict.Finding
	findings []verdict.Finding
}

// flaws groups findings by vulnerability.
func flaws(findings []verdict.Finding) []flaw {
	at := make(map[string]int, len(findings))
	var out []flaw
	for _, f := range findings {
		i, known := at[f.ID]
		if !known {
			i = len(out)
			at[f.ID] = i
			out = append(out, flaw{id: f.ID, worst: f})
		}
		out[i].findings = append(out[i].findings, f)
		if score(f) > score(out[i].worst) {
			out[i].worst = f
		}
	}
	return out
}

func score(f verdict.Finding) float64 {
	if f.CVSS == nil {
		return -1
	}
	return f.CVSS.Score
}

// escaped is a path as a relative URI.
func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }
