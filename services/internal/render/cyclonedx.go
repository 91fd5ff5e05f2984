package render

import (
	"io"
	"strconv"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// property is the prefix of our own properties' names.
const property = "landwaiter:"

func writeCycloneDX(w io.Writer, r verdict.Report) error {
	id, err := identity(r)
	if err != nil {
		return err
	}
	bom := cdx.NewBOM()
	bom.SerialNumber = "urn:uuid:" + id
	image := imageComponent(r.Image)
	bom.Metadata = &cdx.Metadata{
		Tools:     &cdx.ToolsChoice{Components: &[]cdx.Component{{Type: cdx.ComponentTypeApplication, Name: toolName}}},
		Component: &image,
	}
	if at := when(r); !at.IsZero() {
		bom.Metadata.Timestamp = stamp(at)
	}
	properties := []cdx.Property{
		{Name: property + "complete", Value: strconv.FormatBool(r.Completeness.Complete)},
		{Name: property + "database", Value: r.Database.Version},
	}
	aggregate := cdx.CompositionAggregateComplete
	for _, note := range gaps(r) {
		aggregate = cdx.CompositionAggregateIncomplete
		properties = append(properties, cdx.Property{Name: property + "incomplete", Value: gapText(note)})
	}
	bom.Metadata.Properties = &properties
	bom.Compositions = &[]cdx.Composition{{Aggregate: aggregate, Assemblies: &[]cdx.BOMReference{cdx.BOMReference(image.BOMRef)}}}
	refs := names(r.Packages)
	components := []cdx.Component{}
	if r.OS.ID != "" {
		components = append(components, cdx.Component{
			Type: cdx.ComponentTypeOS, BOMRef: "os", Name: r.OS.ID, Version: r.OS.Version, Description: r.OS.Name,
		})
	}
	refsOf := map[string][]string{}
	for i, p := range r.Packages {
		components = append(components, packageComponent(p, refs[i]))
		refsOf[p.PURL] = append(refsOf[p.PURL], refs[i])
	}
	bom.Components = &components
	vulnerabilities := []cdx.Vulnerability{}
	packages := index(r.Packages)
	for _, v := range flaws(r.Findings) {
		vulnerabilities = append(vulnerabilities, vulnerability(v, packages, refsOf))
	}
	bom.Vulnerabilities = &vulnerabilities
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6)
}

func imageComponent(i verdict.Image) cdx.Component {
	properties := []cdx.Property{{Name: property + "platform", Value: i.Platform.String()}}
	for _, tag := range i.Tags {
		properties = append(properties, cdx.Property{Name: property + "tag", Value: tag})
	}
	name := i.Repository
	if i.Host != "" {
		name = i.Host + "/" + name
	}
	return cdx.Component{
		Type: cdx.ComponentTypeContainer, BOMRef: "image", Name: name, Version: i.Digest, PackageURL: imagePURL(i),
		Properties: &properties,
	}
}

func packageComponent(p verdict.Package, ref string) cdx.Component {
	properties := []cdx.Property{
		{Name: property + "evidence", Value: p.Evidence},
		{Name: property + "ecosystem", Value: p.Ecosystem},
		{Name: property + "layer:digest", Value: p.Layer.Digest},
		{Name: property + "layer:index", Value: strconv.Itoa(p.Layer.Index)},
	}
	if p.Source.Name != "" {
		properties = append(properties,
			cdx.Property{Name: property + "source:name", Value: p.Source.Name},
			cdx.Property{Name: property + "source:version", Value: p.Source.Version})
	}
	c := cdx.Component{
		Type: cdx.ComponentTypeLibrary, BOMRef: ref, Name: p.Name, Version: p.Version, PackageURL: p.PURL, Properties: &properties,
	}
	if p.Location != "" {
		c.Evidence = &cdx.Evidence{Occurrences: &[]cdx.EvidenceOccurrence{{Location: p.Location}}}
	}
	return c
}
