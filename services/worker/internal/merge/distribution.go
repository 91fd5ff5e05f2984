package merge

import (
	"strconv"
	"strings"
)

// ecosystem maps an os-release to OSV's name, as its exports write it. Only
// what has a name there is mapped: Amazon Linux, Oracle Linux, Fedora, CentOS,
// Arch and others have none, and a derivative's packages are not its parent's.
func (r release) ecosystem() distribution {
	version := r.version()
	switch id := r.id(); id {
	case "debian":
		return released("deb", "Debian", major(version))
	case "ubuntu":
		return released("deb", "Ubuntu", ubuntu(version))
	case "echo":
		return distribution{kind: "deb", name: "Echo"}
	case "alpine":
		return released("apk", "Alpine", alpine(version))
	case "wolfi":
		return distribution{kind: "apk", name: "Wolfi"}
	case "chainguard":
		return distribution{kind: "apk", name: "Chainguard"}
	case "minimos":
		return distribution{kind: "apk", name: "MinimOS"}
	case "cleanstart", "clnstrt":
		return distribution{kind: "apk", name: "CleanStart"}
	case "alpaquita":
		return released("apk", "Alpaquita", version)
	case "bellsoft-hardened-containers":
		return released("apk", "BellSoft Hardened Containers", version)
	default:
		return r.rpms(id)
	}
}

// rpms maps the distributions that use rpm.
func (r release) rpms(id string) distribution {
	version := r.version()
	switch id {
	case "almalinux":
		return released("rpm", "AlmaLinux", major(version))
	case "rocky":
		return released("rpm", "Rocky Linux", major(version))
	case "rhel":
		return released("rpm", "Red Hat", r.redHat())
	case "sles", "sled", "sles_sap", "sle_hpc":
		return released("rpm", "SUSE", sles(version))
	case "suse-microos", "sle-micro", "sle_micro":
		return released("rpm", "SUSE", after("Linux Enterprise Micro ", version))
	case "sl-micro":
		return released("rpm", "SUSE", after("Linux Micro ", version))
	case "opensuse-leap-micro", "leap-micro":
		return released("rpm", "openSUSE", after("Leap Micro ", version))
	case "opensuse-leap":
		return released("rpm", "openSUSE", after("Leap ", version))
	case "opensuse-tumbleweed":
		return distribution{kind: "rpm", name: "openSUSE:Tumbleweed"}
	case "azurelinux", "mariner": // renamed with release 3
		return released("rpm", "Azure Linux", major(version))
	case "mageia":
		return released("rpm", "Mageia", version)
	case "openeuler":
		return released("rpm", "openEuler", openEuler(r["VERSION"], version))
	case "photon":
		return released("rpm", "Photon OS", version)
	default:
		return distribution{}
	}
}

func released(kind, name, suffix string) distribution {
	if suffix == "" {
		return distribution{kind: kind}
	}
	return distribution{kind: kind, name: name + ":" + suffix}
}

// after joins the two, unless there is no version.
func after(product, version string) string {
	if version == "" {
		return ""
	}
	return product + version
}

// major is the number in front; empty: there is none, as in releases that are
// still in the making.
func major(version string) string {
	number, _, _ := strings.Cut(version, ".")
	if _, err := strconv.Atoi(number); err != nil {
		return ""
	}
	return number
}

// alpine is the branch: v3.20 of 3.20.3. Edge has none: 3.21_alpha20240807.
func alpine(version string) string {
	number, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	if major(number) == "" || major(minor) == "" {
		return ""
	}
	return "v" + number + "." + minor
}

// ubuntu marks the releases with long-term support: those of April in even years.
func ubuntu(version string) string {
	year, err := strconv.Atoi(major(version))
	switch {
	case err != nil:
		return ""
	case year%2 == 0 && strings.HasSuffix(version, ".04"):
		return version + ":LTS"
	default:
		return version
	}
}

// redHat is product and release out of the CPE, without the repository, which
// the CPE of the distribution names only for itself: enterprise_linux:9 of
// cpe:/o:redhat:enterprise_linux:9::baseos. Streams of extended support have
// advisories for the minor release: rhel_eus:9.2.
func (r release) redHat() string {
	const vendor, product, version = 2, 3, 4
	cpe := strings.Split(r["CPE_NAME"], ":")
	if len(cpe) > version && cpe[vendor] == "redhat" && cpe[product] != "" && major(cpe[version]) != "" {
		if cpe[product] == "enterprise_linux" {
			return cpe[product] + ":" + major(cpe[version])
		}
		return cpe[product] + ":" + cpe[version]
	}
	return after("enterprise_linux:", major(r.version()))
}

// sles writes 12.5 as SUSE's advisories do, "12 SP5", and 16.0 as it is. Which
// of a release's products a package is from, the advisories' side sorts out.
func sles(version string) string {
	number, pack, found := strings.Cut(version, ".")
	if number == "11" || number == "12" || number == "15" {
		version = number
		if found && pack != "0" {
			version += " SP" + pack
		}
	}
	return after("Linux Enterprise Server ", version)
}

// openEuler adds the kind of release to 22.03: "22.03 (LTS-SP1)" is
// 22.03-LTS-SP1.
func openEuler(long, version string) string {
	_, kind, found := strings.Cut(long, "(")
	kind, _, closed := strings.Cut(kind, ")")
	if version == "" || !found || !closed || !strings.HasPrefix(kind, "LTS") {
		return version
	}
	return version + "-" + kind
}
