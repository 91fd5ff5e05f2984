package merge

import (
	"testing"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// TestEcosystem holds what distributions write into os-release, of which only
// the lines that matter are here, against the names in OSV's exports.
func TestEcosystem(t *testing.T) {
	tests := []struct{ name, file, kind, want string }{
		{"Debian 12", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\n", "deb", "Debian:12"},
		{"Debian 7", "ID=debian\nVERSION_ID=\"7\"\n", "deb", "Debian:7"},
		{"Debian testing", "PRETTY_NAME=\"Debian GNU/Linux forky/sid\"\nNAME=\"Debian GNU/Linux\"\nVERSION_CODENAME=forky\nID=debian\n", "deb", ""},
		{"Ubuntu 24.04", "NAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nVERSION=\"24.04.1 LTS (Noble Numbat)\"\nID=ubuntu\nID_LIKE=debian\n", "deb", "Ubuntu:24.04:LTS"},
		{"Ubuntu 25.04", "NAME=\"Ubuntu\"\nVERSION_ID=\"25.04\"\nID=ubuntu\n", "deb", "Ubuntu:25.04"},
		{"Ubuntu 24.10", "NAME=\"Ubuntu\"\nVERSION_ID=\"24.10\"\nID=ubuntu\n", "deb", "Ubuntu:24.10"},
		{"Linux Mint", "NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"22\"\nUBUNTU_CODENAME=noble\n", "deb", ""},
		{"Raspbian", "NAME=\"Raspbian GNU/Linux\"\nVERSION_ID=\"11\"\nID=raspbian\nID_LIKE=debian\n", "deb", ""},
		{"Echo", "ID=echo\nVERSION_ID=\"1\"\n", "deb", "Echo"},
		{"Alpine", "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME=\"Alpine Linux v3.22\"\n", "apk", "Alpine:v3.22"},
		{"Alpine edge", "ID=alpine\nVERSION_ID=3.23_alpha20250612\nPRETTY_NAME=\"Alpine Linux edge\"\n", "apk", ""},
		{"Wolfi", "ID=wolfi\nNAME=\"Wolfi\"\nVERSION_ID=\"20230201\"\n", "apk", "Wolfi"},
		{"Chainguard", "ID=chainguard\nNAME=\"Chainguard\"\nVERSION_ID=\"20230214\"\n", "apk", "Chainguard"},
		{"MinimOS", "ID=minimos\nVERSION_ID=\"20241031\"\n", "apk", "MinimOS"},
		{"CleanStart", "ID=clnstrt\n", "apk", "CleanStart"},
		{"Alpaquita stream", "ID=alpaquita\nVERSION_ID=stream\n", "apk", "Alpaquita:stream"},
		{"Alpaquita 23", "ID=alpaquita\nVERSION_ID=23\n", "apk", "Alpaquita:23"},
		{"BellSoft", "ID=bellsoft-hardened-containers\nVERSION_ID=23\n", "apk", "BellSoft Hardened Containers:23"},
		{"AlmaLinux", "NAME=\"AlmaLinux\"\nID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\nCPE_NAME=\"cpe:/o:almalinux:almalinux:9::baseos\"\n", "rpm", "AlmaLinux:9"},
		{"Rocky", "NAME=\"Rocky Linux\"\nID=\"rocky\"\nVERSION_ID=\"8.10\"\nCPE_NAME=\"cpe:/o:rocky:rocky:8:GA\"\n", "rpm", "Rocky Linux:8"},
		{"RHEL 9", "ID=\"rhel\"\nVERSION_ID=\"9.4\"\nCPE_NAME=\"cpe:/o:redhat:enterprise_linux:9::baseos\"\n", "rpm", "Red Hat:enterprise_linux:9"},
		{"RHEL 7", "ID=\"rhel\"\nVERSION_ID=\"7.9\"\nCPE_NAME=\"cpe:/o:redhat:enterprise_linux:7.9:GA:server\"\n", "rpm", "Red Hat:enterprise_linux:7"},
		{"RHEL 8 beta", "ID=\"rhel\"\nVERSION_ID=\"8.0\"\nCPE_NAME=\"cpe:/o:redhat:enterprise_linux:8.0:beta\"\n", "rpm", "Red Hat:enterprise_linux:8"},
		{"RHEL of extended support", "ID=\"rhel\"\nVERSION_ID=\"9.2\"\nCPE_NAME=\"cpe:/o:redhat:rhel_eus:9.2::baseos\"\n", "rpm", "Red Hat:rhel_eus:9.2"},
		{"RHEL without CPE", "ID=\"rhel\"\nVERSION_ID=\"9.4\"\n", "rpm", "Red Hat:enterprise_linux:9"},
		{"RHEL with nothing", "ID=\"rhel\"\nCPE_NAME=\"cpe:/o:redhat\"\n", "rpm", ""},
		{"SLES 12", "NAME=\"SLES\"\nVERSION=\"12-SP5\"\nVERSION_ID=\"12.5\"\nID=\"sles\"\n", "rpm", "SUSE:Linux Enterprise Server 12 SP5"},
		{"SLES 12 without pack", "NAME=\"SLES\"\nVERSION=\"12\"\nVERSION_ID=\"12\"\nID=\"sles\"\n", "rpm", "SUSE:Linux Enterprise Server 12"},
		{"SLES 15", "NAME=\"SLES\"\nVERSION=\"15-SP7\"\nVERSION_ID=\"15.7\"\nID=\"sles\"\nCPE_NAME=\"cpe:/o:suse:sles:15:sp7\"\n", "rpm", "SUSE:Linux Enterprise Server 15 SP7"},
		{"SLES 15 without pack", "ID=\"sles\"\nVERSION_ID=\"15\"\n", "rpm", "SUSE:Linux Enterprise Server 15"},
		{"SLES for SAP", "NAME=\"SLES_SAP\"\nVERSION_ID=\"12.1\"\nID=\"sles_sap\"\n", "rpm", "SUSE:Linux Enterprise Server 12 SP1"},
		{"SLES 16", "ID=\"sles\"\nVERSION_ID=\"16.0\"\n", "rpm", "SUSE:Linux Enterprise Server 16.0"},
		{"SLES of no version", "ID=\"sles\"\n", "rpm", ""},
		{"SLE Micro 5.1", "NAME=\"SLE Micro\"\nVERSION_ID=\"5.1\"\nID=\"suse-microos\"\nCPE_NAME=\"cpe:/o:suse:suse-microos:5.1\"\n", "rpm", "SUSE:Linux Enterprise Micro 5.1"},
		{"SL Micro 6", "ID=\"sl-micro\"\nVERSION_ID=\"6.0\"\n", "rpm", "SUSE:Linux Micro 6.0"},
		{"Leap", "NAME=\"openSUSE Leap\"\nVERSION_ID=\"15.6\"\nID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", "rpm", "openSUSE:Leap 15.6"},
		{"Leap Micro", "ID=\"opensuse-leap-micro\"\nVERSION_ID=\"5.5\"\n", "rpm", "openSUSE:Leap Micro 5.5"},
		{"Tumbleweed", "NAME=\"openSUSE Tumbleweed\"\nID=\"opensuse-tumbleweed\"\nVERSION_ID=\"20240101\"\n", "rpm", "openSUSE:Tumbleweed"},
		{"Azure Linux", "NAME=\"Microsoft Azure Linux\"\nVERSION=\"3.0.20241005\"\nID=azurelinux\nVERSION_ID=\"3.0\"\n", "rpm", "Azure Linux:3"},
		{"CBL-Mariner", "NAME=\"Common Base Linux Mariner\"\nVERSION=\"2.0.20230208\"\nID=mariner\nVERSION_ID=\"2.0\"\n", "rpm", "Azure Linux:2"},
		{"Mageia", "NAME=\"Mageia\"\nVERSION_ID=\"9\"\nID=mageia\n", "rpm", "Mageia:9"},
		{"openEuler LTS", "NAME=\"openEuler\"\nVERSION=\"24.03 (LTS-SP2)\"\nID=\"openEuler\"\nVERSION_ID=\"24.03\"\n", "rpm", "openEuler:24.03-LTS-SP2"},
		{"openEuler LTS without pack", "VERSION=\"22.03 (LTS)\"\nID=\"openEuler\"\nVERSION_ID=\"22.03\"\n", "rpm", "openEuler:22.03-LTS"},
		{"openEuler innovation", "VERSION=\"23.09\"\nID=\"openEuler\"\nVERSION_ID=\"23.09\"\n", "rpm", "openEuler:23.09"},
		{"Photon", "NAME=\"VMware Photon OS\"\nVERSION=\"5.0\"\nID=photon\nVERSION_ID=5.0\n", "rpm", "Photon OS:5.0"},
		{"Amazon", "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\n", "rpm", ""},
		{"Oracle", "NAME=\"Oracle Linux Server\"\nID=\"ol\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\n", "rpm", ""},
		{"CentOS Stream", "NAME=\"CentOS Stream\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"9\"\n", "rpm", ""},
		{"Fedora", "NAME=\"Fedora Linux\"\nID=fedora\nVERSION_ID=40\n", "rpm", ""},
		{"Arch", "NAME=\"Arch Linux\"\nID=arch\nBUILD_ID=rolling\nVERSION_ID=20240101.0.1\n", "rpm", ""},
		{"nothing", "", "deb", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parseRelease(tt.file).ecosystem().of(inventory.Package{Type: tt.kind, Version: "1"})
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestUbuntuStream(t *testing.T) {
	const lts, other = "Ubuntu:18.04:LTS", "Debian:12"
	for _, tt := range []struct{ name, version, want string }{
		{lts, "1.1.1-1ubuntu2.1~18.04.23", lts},
		{lts, "1.1.1-1ubuntu2.1~18.04.23+esm3", "Ubuntu:Pro:18.04:LTS"},
		{lts, "2.27-3ubuntu1.6~esm1", "Ubuntu:Pro:18.04:LTS"},
		{lts, "1.1.1f-1ubuntu2.fips.7.1", "Ubuntu:Pro:FIPS-updates:18.04:LTS"},
		{other, "1+esm1", other},
	} {
		if got := ubuntuStream(tt.name, tt.version); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.version, got, tt.want)
		}
	}
}
