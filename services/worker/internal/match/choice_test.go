package match_test

import (
	"slices"
	"testing"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/match"
)

func TestMatchNamesAndReleases(t *testing.T) {
	type pkg = inventory.Package
	source := func(name, version string) verdict.Source { return verdict.Source{Name: name, Version: version} }
	tests := []struct {
		name     string
		affected string
		pkg      pkg
		hit      bool
	}{
		{
			"deb by source", statement("Debian:12", "lvm2", "ECOSYSTEM", "introduced 0, fixed 2.03.17-1"),
			pkg{Type: "deb", Name: "libdevmapper1.02.1", Version: "2:1.02.185-2", Source: source("lvm2", "2.03.16-2"), Ecosystem: "Debian:12"},
			true,
		},
		{
			"deb by source version", statement("Debian:12", "lvm2", "ECOSYSTEM", "introduced 0, fixed 2.03.16-2"),
			pkg{Type: "deb", Name: "libdevmapper1.02.1", Version: "1:0.1", Source: source("lvm2", "2.03.16-2"), Ecosystem: "Debian:12"},
			false,
		},
		{
			"deb binary name is not looked up", statement("Debian:12", "libx1", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "deb", Name: "libx1", Version: "1", Source: source("x", ""), Ecosystem: "Debian:12"},
			false,
		},
		{
			"deb without source", statement("Debian:12", "tar", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "deb", Name: "tar", Version: "1.34", Ecosystem: "Debian:12"},
			true,
		},
		{
			"apk by origin", statement("Alpine:v3.20", "openssl", "ECOSYSTEM", "introduced 0, fixed 3.3.2-r0"),
			pkg{Type: "apk", Name: "libssl3", Version: "3.3.1-r0", Source: source("openssl", ""), Ecosystem: "Alpine:v3.20"},
			true,
		},
		{
			"AlmaLinux by binary", statement("AlmaLinux:9", "expat-devel", "ECOSYSTEM", "introduced 0, fixed 2.2.10-12.el9_0.2"),
			pkg{Type: "rpm", Name: "expat-devel", Version: "2.2.10-12.el9", Source: source("expat", "2.2.10-12.el9"), Ecosystem: "AlmaLinux:9"},
			true,
		},
		{
			"AlmaLinux not by source", statement("AlmaLinux:9", "expat", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "expat-devel", Version: "2.2.10-12.el9", Source: source("expat", "2.2.10-12.el9"), Ecosystem: "AlmaLinux:9"},
			false,
		},
		{
			"SUSE by source, epoch of the binary", statement("SUSE:Linux Enterprise Server 12", "x", "ECOSYSTEM", "introduced 0, fixed 1:1.0-1"),
			pkg{Type: "rpm", Name: "x-libs", Version: "1:2.0-1", Source: source("x", "2.0-1"), Ecosystem: "SUSE:Linux Enterprise Server 12"},
			false,
		},
		{"PyPI name", statement("PyPI", "Py_Drive2", "ECOSYSTEM", "introduced 0"), pkg{Type: "pypi", Name: "py.drive2", Version: "1", Ecosystem: "PyPI"}, true},
		{"Go stdlib", statement("Go", "stdlib", "SEMVER", "introduced 0, fixed 1.21.0-rc.3"), pkg{Type: "golang", Name: "go", Version: "go1.21rc2", Ecosystem: "Go"}, true},
		{"Go stdlib release after rc", statement("Go", "stdlib", "SEMVER", "introduced 0, fixed 1.21.0-rc.3"), pkg{Type: "golang", Name: "stdlib", Version: "1.21", Ecosystem: "Go"}, false},
		{"repository of Packagist", statement("Packagist:https://packages.drupal.org/8", "drupal/x", "ECOSYSTEM", "introduced 0, fixed 1.2.0"), pkg{Type: "composer", Name: "drupal/x", Version: "1.1.0", Ecosystem: "Packagist"}, true},
		{"repository of Maven", statement("Maven:https://maven.google.com", "androidx.x:x", "ECOSYSTEM", "introduced 0, fixed 1.2.0"), pkg{Type: "maven", Name: "androidx.x:x", Version: "1.1.0", Ecosystem: "Maven"}, true},
		{"Go experiments", statement("Go", "stdlib", "SEMVER", "introduced 0, fixed 1.22.0"), pkg{Type: "golang", Name: "stdlib", Version: "1.21.3 X:boringcrypto", Ecosystem: "Go"}, true},
		{
			"Maven", statement("Maven", "org.apache.logging.log4j:log4j-core", "ECOSYSTEM", "introduced 2.0-beta9, fixed 2.15.0"),
			pkg{Type: "maven", Name: "org.apache.logging.log4j:log4j-core", Version: "2.14.1", Ecosystem: "Maven"},
			true,
		},
		{"other release", statement("Debian:11", "x", "ECOSYSTEM", "introduced 0"), pkg{Type: "deb", Name: "x", Version: "1", Ecosystem: "Debian:12"}, false},
		{"advisory without release", statement("Debian", "x", "ECOSYSTEM", "introduced 0"), pkg{Type: "deb", Name: "x", Version: "1", Ecosystem: "Debian:12"}, false},
		{"Ubuntu LTS not written", statement("Ubuntu:22.04:LTS", "x", "ECOSYSTEM", "introduced 0"), pkg{Type: "deb", Name: "x", Version: "1", Ecosystem: "Ubuntu:22.04"}, true},
		{"Ubuntu Pro", statement("Ubuntu:Pro:22.04:LTS", "x", "ECOSYSTEM", "introduced 0"), pkg{Type: "deb", Name: "x", Version: "1", Ecosystem: "Ubuntu:Pro:22.04:LTS"}, true},
		{
			"Rocky by source", statement("Rocky Linux:8", "java-11-openjdk", "ECOSYSTEM", "introduced 0, fixed 1:11.0.13.0.8-1.el8_4"),
			pkg{Type: "rpm", Name: "java-11-openjdk-headless", Version: "1:11.0.12.0.7-0.el8_4", Source: source("java-11-openjdk", "11.0.12.0.7-0.el8_4"), Ecosystem: "Rocky Linux:8"},
			true,
		},
		{
			"Rocky by source, fixed", statement("Rocky Linux:8", "java-11-openjdk", "ECOSYSTEM", "introduced 0, fixed 1:11.0.13.0.8-1.el8_4"),
			pkg{Type: "rpm", Name: "java-11-openjdk-headless", Version: "1:11.0.13.0.8-1.el8_4", Source: source("java-11-openjdk", "11.0.13.0.8-1.el8_4"), Ecosystem: "Rocky Linux:8"},
			false,
		},
		{
			"Rocky by binary", statement("Rocky Linux:8", "expat-devel", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "expat-devel", Version: "1-1", Source: source("expat", "1-1"), Ecosystem: "Rocky Linux:8"},
			true,
		},
		{
			"Wolfi by package", statement("Wolfi", "py3.12-pip", "ECOSYSTEM", "introduced 0, fixed 2-r0"),
			pkg{Type: "apk", Name: "py3.12-pip", Version: "1-r0", Source: source("py3-pip", "1-r0"), Ecosystem: "Wolfi"},
			true,
		},
		{
			"Wolfi by origin", statement("Wolfi", "openssl", "ECOSYSTEM", "introduced 0, fixed 2-r0"),
			pkg{Type: "apk", Name: "libssl3", Version: "1-r0", Source: source("openssl", "1-r0"), Ecosystem: "Wolfi"},
			true,
		},
		{
			"Alpine not by package", statement("Alpine:v3.20", "libssl3", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "apk", Name: "libssl3", Version: "1-r0", Source: source("openssl", "1-r0"), Ecosystem: "Alpine:v3.20"},
			false,
		},
		{
			"SUSE 15 module", statement("SUSE:Linux Enterprise Module for Python 3 15 SP5", "x", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "SUSE:Linux Enterprise Server 15 SP5"},
			true,
		},
		{
			"SUSE other pack", statement("SUSE:Linux Enterprise Module for Basesystem 15 SP4", "x", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "SUSE:Linux Enterprise Server 15 SP5"},
			false,
		},
		{
			"SUSE long-term support", statement("SUSE:Linux Enterprise Server 12 SP1-LTSS", "x", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "SUSE:Linux Enterprise Server 12 SP1"},
			true,
		},
		{
			"SUSE first pack is not the second", statement("SUSE:Linux Enterprise Server 12", "x", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "SUSE:Linux Enterprise Server 12 SP1"},
			false,
		},
		{
			"SUSE module of all packs", statement("SUSE:Linux Enterprise Module for Web and Scripting 12", "x", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "SUSE:Linux Enterprise Server 12 SP5"},
			true,
		},
		{
			"SUSE Micro is apart", statement("SUSE:Linux Enterprise Micro 5.5", "x", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "SUSE:Linux Enterprise Server 15 SP5"},
			false,
		},
		{
			"SUSE and openSUSE", statement("SUSE:Linux Enterprise Server 15 SP5", "x", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "openSUSE:Leap 15.5"},
			false,
		},
		{"Rocky minor release", statement("Rocky Linux:9", "x", "ECOSYSTEM", "introduced 0"), pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "Rocky Linux:9.3"}, true},
		{"Rocky other release", statement("Rocky Linux:9", "x", "ECOSYSTEM", "introduced 0"), pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "Rocky Linux:8"}, false},
		{
			"Red Hat repository", statement("Red Hat:enterprise_linux:9::appstream", "x", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "Red Hat:enterprise_linux:9"},
			true,
		},
		{
			"Red Hat minor release", statement("Red Hat:enterprise_linux:10.0", "x", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "Red Hat:enterprise_linux:10"},
			true,
		},
		{
			"Red Hat extended support of a minor release", statement("Red Hat:enterprise_linux_eus:10.0", "x", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "Red Hat:enterprise_linux:10"},
			false,
		},
		{
			"Red Hat other product", statement("Red Hat:rhel_eus:9.2::appstream", "x", "ECOSYSTEM", "introduced 0"),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Ecosystem: "Red Hat:enterprise_linux:9"},
			false,
		},
		{
			"module stream", statement("AlmaLinux:8", "x", "ECOSYSTEM", "introduced 0", `"ecosystem_specific":{"rpm_modularity":"nodejs:18"}`),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Module: "nodejs:18:8060020220523160029:ad008a3a", Ecosystem: "AlmaLinux:8"},
			true,
		},
		{
			"other module stream", statement("AlmaLinux:8", "x", "ECOSYSTEM", "introduced 0", `"ecosystem_specific":{"rpm_modularity":"nodejs:18"}`),
			pkg{Type: "rpm", Name: "x", Version: "1-1", Module: "nodejs:16:1:a", Ecosystem: "AlmaLinux:8"},
			false,
		},
		{
			"second statement of a record", statement("npm", "y", "SEMVER", "introduced 0") + "," + statement("npm", "x", "SEMVER", "introduced 5.0.0") + "," + statement("npm", "x", "SEMVER", "introduced 0, fixed 2.0.0"),
			pkg{Type: "npm", Name: "x", Version: "1.0.0", Ecosystem: "npm"},
			true,
		},
		{"strange extras", statement("npm", "x", "SEMVER", "introduced 0", `"ecosystem_specific":[1],"database_specific":"x"`), pkg{Type: "npm", Name: "x", Version: "1.0.0", Ecosystem: "npm"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			db := database(t, record("T-1", tt.affected), record("T-2", statement(tt.pkg.Ecosystem, "other", "ECOSYSTEM", "introduced 0")))
			got, notes := match.Match(db, inventory.Image{Packages: []inventory.Package{tt.pkg}})
			if len(notes) > 0 {
				t.Errorf("notes = %v", notes)
			}
			if hit := len(got) == 1; hit != tt.hit {
				t.Errorf("findings = %v, want hit %v", got, tt.hit)
			}
		})
	}
}

// TestUbuntuPro: what only subscribers of Ubuntu Pro get a fix for is a flaw of
// the archive's package too, until it has that fix.
func TestUbuntuPro(t *testing.T) {
	db := database(t, record("T-1", statement("Ubuntu:Pro:22.04:LTS", "x", "ECOSYSTEM", "introduced 0, fixed 1.0+esm2")),
		record("T-2", statement("Ubuntu:Pro:20.04:LTS", "x", "ECOSYSTEM", "introduced 0")),
		record("T-3", statement("Ubuntu:Pro:FIPS-updates:22.04:LTS", "x", "ECOSYSTEM", "introduced 0")),
		record("T-4", statement("Ubuntu:24.04:LTS", "other", "ECOSYSTEM", "introduced 0")))
	for _, tt := range []struct {
		release, version string
		want             []string // each with its fixes
	}{
		{"Ubuntu:22.04", "1.0", []string{"T-1[1.0+esm2]"}},
		{"Ubuntu:22.04:LTS", "1.0+esm1", []string{"T-1[1.0+esm2]"}},
		{"Ubuntu:22.04", "1.0+esm2", nil},
		{"Ubuntu:20.04", "7", []string{"T-2[]"}},
		{"Ubuntu:24.04", "1.0", nil},
	} {
		found, notes := match.Match(db, inventory.Image{Packages: []inventory.Package{
			{Type: "deb", Name: "x", Version: tt.version, Ecosystem: tt.release},
		}})
		var got []string
		for _, f := range found {
			got = append(got, f.ID+"["+f.FixedVersion+"]")
		}
		if !slices.Equal(got, tt.want) || len(notes) > 0 {
			t.Errorf("%s %s: %q, notes %v, want %q", tt.release, tt.version, got, notes, tt.want)
		}
	}
}
