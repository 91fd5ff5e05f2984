package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

func writeSARIF(w io.Writer, r verdict.Report) error {
	run := sarif.NewRunWithInformationURI(toolName, toolURL)
	run.Properties = sarif.NewPropertyBag().
		Add("image", reference(r.Image)).Add("tags", r.Image.Tags).Add("platform", r.Image.Platform.String()).
		Add("complete", r.Completeness.Complete).Add("database", r.Database.Version)
	run.Invocations = []*sarif.Invocation{invocation(r)}
	packages := index(r.Packages)
	for n, vulnerability := range flaws(r.Findings) {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule(vulnerability))
		for _, f := range vulnerability.findings {
			run.Results = append(run.Results, result(r.Image, f, packages.of(f), n))
		}
	}
	return encode(w, sarif.NewReport().AddRun(run))
}

func encode(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(value)
}

// invocation tells how the scan went, with a notification for everything that
// was not looked at: a run without results may be one of those.
func invocation(r verdict.Report) *sarif.Invocation {
	successful := r.Status != verdict.Failed && !r.ScannedAt.IsZero()
	i := sarif.NewInvocation()
	i.ExecutionSuccessful = &successful
	if at := when(r); !at.IsZero() {
		i.EndTimeUtc = new(stamp(at))
	}
	for _, note := range gaps(r) {
		n := sarif.NewNotification()
		n.Message = sarif.NewTextMessage(note.Message)
		n.Descriptor = sarif.NewReportingDescriptorReference()
		n.Descriptor.ID = new(note.Code)
		if note.Layer != "" {
			n.Properties = sarif.NewPropertyBag().Add("layer", note.Layer)
		}
		if !successful {
			n.Level = "error"
		}
		i.ToolExecutionNotifications = append(i.ToolExecutionNotifications, n)
	}
	return i
}

// rule describes one vulnerability.
func rule(v flaw) *sarif.ReportingDescriptor {
	d := sarif.NewRule(v.id)
	summary := v.worst.Summary
	if summary == "" {
		summary = v.id
	}
	d.ShortDescription = &sarif.MultiformatMessageString{Text: &summary}
	d.HelpURI = new(advisoryURL(v.id))
	d.DefaultConfiguration = sarif.NewReportingConfiguration()
	d.DefaultConfiguration.Level = level(v.worst.Severity)
	d.Properties = sarif.NewPropertyBag().WithTags([]string{"security", "vulnerability"})
	if v.worst.CVSS != nil {
		// As code hosts read it: a number in a string.
		d.Properties.Add("security-severity", strconv.FormatFloat(v.worst.CVSS.Score, 'f', 1, 64))
	}
	return d
}

func result(i verdict.Image, f verdict.Finding, p verdict.Package, rule int) *sarif.Result {
	res := sarif.NewRuleResult(f.ID)
	res.RuleIndex = rule
	res.Level = level(f.Severity)
	name := strings.TrimSpace(p.Name + " " + p.Version)
	if name == "" {
		name = f.Package
	}
	text := fmt.Sprintf("%s (%s) in %s", f.ID, f.Severity, name)
	if f.FixedVersion != "" {
		text += ", fixed in " + f.FixedVersion
	}
	res.Message = sarif.NewTextMessage(text)
	uri := p.Location
	if uri == "" {
		uri = reference(i)
	}
	location := sarif.NewLocationWithPhysicalLocation(&sarif.PhysicalLocation{ArtifactLocation: &sarif.ArtifactLocation{URI: new(escaped(uri)), Index: -1}})
	logical := sarif.NewLogicalLocation()
	logical.FullyQualifiedName, logical.Kind = &f.Package, new("package")
	location.LogicalLocations = append(location.LogicalLocations, logical)
	res.Locations = []*sarif.Location{location}
	res.PartialFingerprints = map[string]string{"vulnerability/package": f.ID + " " + f.Package}
	res.Properties = sarif.NewPropertyBag().Add("severity", f.Severity).Add("fixedVersion", f.FixedVersion).
		Add("layer", f.Layer.Digest).Add("layerIndex", f.Layer.Index).Add("aliases", f.Aliases).Add("advisories", f.Advisories)
	return res
}

// level is the severity in SARIF's words. What nobody rated is a warning: it
// may be anything.
func level(s verdict.Severity) string {
	switch s {
	case verdict.Critical, verdict.High:
		return "error"
	case verdict.Low, verdict.Negligible:
		return "note"
	default:
		return "warning"
	}
}
