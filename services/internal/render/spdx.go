package render

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

const (
	noAssertion = "NOASSERTION"
	imageID     = common.ElementID("Image")
	documentID  = common.ElementID("DOCUMENT")
)

func writeSPDX(w io.Writer, r verdict.Report) error {
	id, err := identity(r)
	if err != nil {
		return err
	}
	name := reference(r.Image)
	doc := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: documentID, DocumentName: name,
		DocumentNamespace: toolURL + "/spdx/" + id, DocumentComment: comment(r),
		CreationInfo: &spdx.CreationInfo{Creators: []common.Creator{{CreatorType: "Tool", Creator: toolName}}, Created: created(r)},
	}
	image := unlicensed(&spdx.Package{
		PackageName: name, PackageSPDXIdentifier: imageID, PackageVersion: r.Image.Digest, PrimaryPackagePurpose: "CONTAINER",
		PackageExternalReferences: []*spdx.PackageExternalReference{purlReference(imagePURL(r.Image))}, PackageComment: comment(r),
	})
	doc.Packages = append(doc.Packages, image)
	doc.Relationships = append(doc.Relationships, relationship(documentID, "DESCRIBES", imageID))
	flawed := map[string][]string{}
	for _, f := range r.Findings {
		if !slices.Contains(flawed[f.Package], f.ID) { // it may be in several layers
			flawed[f.Package] = append(flawed[f.Package], f.ID)
		}
	}
	for i, unique := range names(r.Packages) {
		p := spdxPackage(r.Packages[i], unique)
		for _, id := range flawed[r.Packages[i].PURL] {
			p.PackageExternalReferences = append(p.PackageExternalReferences, &spdx.PackageExternalReference{
				Category: common.CategorySecurity, RefType: common.TypeSecurityAdvisory, Locator: advisoryURL(id),
			})
		}
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, relationship(imageID, "CONTAINS", p.PackageSPDXIdentifier))
	}
	return encode(w, doc)
}

// created is the moment the report speaks of. The form must have one: the
// beginning of time stands for never.
func created(r verdict.Report) string {
	if at := when(r); !at.IsZero() {
		return stamp(at)
	}
	return stamp(time.Unix(0, 0).UTC())
}

// comment says whether everything was looked at.
func comment(r verdict.Report) string {
	notes := gaps(r)
	if len(notes) == 0 {
		return "Everything in the image was looked at."
	}
	lines := []string{"Incomplete, not everything in the image was looked at:"}
	for _, note := range notes {
		lines = append(lines, "- "+gapText(note))
	}
	return strings.Join(lines, "\n")
}

func spdxPackage(p verdict.Package, unique string) *spdx.Package {
	// An identifier may hold few characters, and a purl has many.
	sum := sha256.Sum256([]byte(unique))
	out := unlicensed(&spdx.Package{
		PackageName: p.Name, PackageVersion: p.Version,
		PackageSPDXIdentifier:     common.ElementID("Package-" + hex.EncodeToString(sum[:10])),
		PackageExternalReferences: []*spdx.PackageExternalReference{purlReference(p.PURL)},
	})
	if p.Location != "" {
		out.PackageSourceInfo = "found in /" + p.Location + " (" + p.Evidence + ")"
	}
	if p.Source.Name != "" {
		out.PackageComment = "built from " + p.Source.Name + " " + p.Source.Version
	}
	return out
}

// unlicensed says that nothing is claimed of the package's licence and origin:
// neither was looked at.
func unlicensed(p *spdx.Package) *spdx.Package {
	p.PackageDownloadLocation, p.PackageLicenseConcluded = noAssertion, noAssertion
	p.PackageLicenseDeclared, p.PackageCopyrightText = noAssertion, noAssertion
	return p
}

func purlReference(purl string) *spdx.PackageExternalReference {
	return &spdx.PackageExternalReference{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: purl}
}

func relationship(a common.ElementID, kind string, b common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{
		RefA: common.MakeDocElementID("", string(a)), RefB: common.MakeDocElementID("", string(b)), Relationship: kind,
	}
}
