package extract

import (
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
)

// Kind is what a file may be, judged by its path and mode.
type Kind int

// The kinds of files that are looked into.
const (
	None       Kind = iota
	Dpkg            // dpkg's status file, or one package's of a distroless image
	DpkgList        // the file list of a package of dpkg
	APK             // apk's database
	RPM             // rpm's database
	NPM             // an installed package.json
	Python          // metadata of a wheel or an egg, or one of them packed
	Java            // a Java archive
	Gem             // the specification of an installed Ruby gem
	DotNet          // a .NET program's list of what it was built with
	Composer        // what PHP's Composer installed
	R               // an installed package of R
	VSCode          // the list of an editor's extensions
	Conda           // the record of a package that conda installed
	Bitnami         // the list that comes with an application of Bitnami
	Pacman          // what pacman keeps of a package
	Portage         // what portage keeps of a package
	Executable      // a program: only its first bytes tell more

	kinds // how many there are
)

// String names what reads the kind.
func (k Kind) String() string {
	names := [...]string{
		"no", "dpkg", "dpkg list", "apk", "rpm", "npm", "python", "java", "gem", ".NET", "composer", "R", "vscode", "conda", "bitnami",
		"pacman", "portage",
		"executable",
	}
	if k < 0 || int(k) >= len(names) {
		return names[None]
	}
	return names[k]
}

// Database tells whether the kind is a package database of the distribution.
func (k Kind) Database() bool { return k == Dpkg || k == APK || k == RPM }

// MaxSize is how many bytes a file of the kind may have to be looked into. What
// is read as a whole grows ten times when it is taken apart, so these bounds
// are far below what a program or an archive may have, and still several times
// what the largest distributions need.
func (k Kind) MaxSize(name string) int64 {
	const text = 8 << 20
	switch k {
	case Dpkg, APK:
		return 32 << 20
	case RPM:
		return 128 << 20
	case NPM, DpkgList, Gem, R, VSCode, Conda, Pacman, Portage:
		return text
	case DotNet, Composer, Bitnami:
		return 10 << 20
	case Python:
		if !strings.HasSuffix(name, ".egg") && !strings.HasSuffix(name, ".whl") {
			return text
		}
	default:
	}
	return math.MaxInt64
}

// KindOf judges a file. The path has no leading slash.
func KindOf(name string, mode fs.FileMode) Kind {
	if kind := osKind(name); kind != None {
		return kind
	}
	if kind := languageKind(name); kind != None {
		return kind
	}
	if mode&0o111 != 0 || strings.EqualFold(path.Ext(name), ".exe") { // layers of Windows have no modes
		return Executable
	}
	return None
}

func osKind(name string) Kind {
	switch name {
	case "lib/apk/db/installed", "usr/lib/apk/db/installed", "var/lib/apk/db/installed":
		return APK
	}
	if rest, ok := dpkgFolder(name); ok {
		return dpkgKind(rest)
	}
	switch dir, file := path.Split(name); dir {
	case "var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/":
		if file == "Packages" || file == "Packages.db" || file == "rpmdb.sqlite" || file == "rpmdb.sqlite"+rpmLog {
			return RPM
		}
	}
	return treeOfSystem(name)
}

// dpkgFolder cuts off the folder of dpkg's database. Images whose var is not
// theirs, as those of bootc, have it beside rpm's in usr, and a link to it.
func dpkgFolder(name string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(name, "var/lib/dpkg/"); ok {
		return rest, true
	}
	return strings.CutPrefix(name, "usr/lib/sysimage/dpkg/")
}

func dpkgKind(name string) Kind {
	switch dir, file := path.Split(name); {
	case name == "status":
		return Dpkg
	case dir == "status.d/" && strings.HasSuffix(file, ".md5sums"):
		return DpkgList
	case dir == "status.d/" && file != "":
		return Dpkg
	case dir == "info/" && strings.HasSuffix(file, ".list"):
		return DpkgList
	}
	return None
}

func languageKind(name string) Kind {
	base := path.Base(name)
	switch {
	case base == "package.json":
		if npmInstalled(name) {
			return NPM
		}
	case slices.ContainsFunc([]string{".dist-info/METADATA", ".egg-info/PKG-INFO", "EGG-INFO/PKG-INFO", ".egg-info", ".egg", ".whl"},
		func(suffix string) bool { return strings.HasSuffix(name, suffix) }):
		return Python
	case javaArchive(base):
		return Java
	}
	return treeKind(name, base)
}

// treeKind knows the trees that package managers install into. What lies
// elsewhere under the same file names is source code, which only says what
// somebody would install.
func treeKind(name, base string) Kind {
	in := func(folders ...string) bool {
		dir := "/" + path.Dir(name) + "/"
		return slices.ContainsFunc(folders, func(folder string) bool { return strings.HasSuffix(dir, "/"+folder+"/") })
	}
	switch {
	case strings.HasSuffix(base, ".gemspec") && in("specifications", "specifications/default"):
		return Gem
	case strings.HasSuffix(base, ".deps.json"):
		return DotNet
	case base == "installed.json" && in("composer"):
		return Composer
	case base == "DESCRIPTION":
		return R // its content tells whether it is installed
	case base == "extensions.json" && in(editors()...):
		return VSCode
	case strings.HasSuffix(base, ".json") && in("conda-meta"):
		return Conda
	case strings.HasPrefix(base, ".spdx-") && strings.HasSuffix(base, ".spdx") && strings.HasPrefix(path.Clean(name), "opt/bitnami/"):
		return Bitnami
	}
	return None
}

// editors are the folders in which Visual Studio Code, its servers and those
// made of it keep extensions.
func editors() []string {
	return []string{
		".vscode/extensions", ".vscode-insiders/extensions", ".vscode-server/extensions", ".vscode-server-insiders/extensions",
		".openvscode-server/extensions", "code-server/extensions",
	}
}

// npmInstalled tells whether a package.json was put there by a package manager.
// The manifest of a project that only lies in the image is not an installation.
func npmInstalled(name string) bool {
	return strings.Contains("/"+name, "/node_modules/") || // npm, yarn, pnpm, also global
		strings.HasPrefix(name, "usr/share/nodejs/") || // Debian's packages
		strings.HasPrefix(name, "opt/yarn-") // the official node image
}

// Binary tells whether a program's first bytes are those of an executable that
// can hold build information: ELF, PE or Mach-O, not a script.
func Binary(head []byte) bool {
	for _, magic := range []string{
		"\x7fELF", "MZ",
		"\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe",
	} {
		if strings.HasPrefix(string(head), magic) {
			return true
		}
	}
	return false
}
