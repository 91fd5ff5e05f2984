package merge

import (
	"maps"
	"slices"

	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
)

// state is what can be seen of the layers applied so far.
type state struct {
	files    map[string]*file             // files that hold packages, by path
	owners   map[string][]inventory.Owner // file lists, by the path of the file they were read from
	releases map[string]string            // os-release files
	first    map[identity]int             // since which layer a package has been there without a break
}

// file is a file's content; with hard links it is at several paths.
type file struct {
	path     string // the first
	packages []inventory.Package
	since    int // the layer that brought what it holds
}

// identity is what makes a package the same one in the next layer. A
// distribution's package may move from one database to another.
type identity struct{ kind, name, version, arch, path string }

func identify(p inventory.Package, path string) identity {
	if osPackage(p.Type) {
		path = ""
	}
	return identity{p.Type, p.Name, p.Version, p.Arch, path}
}

func newState() *state {
	return &state{
		files: map[string]*file{}, owners: map[string][]inventory.Owner{},
		releases: map[string]string{}, first: map[identity]int{},
	}
}

// apply lays a layer over the state.
func (s *state) apply(index int, l inventory.Layer) {
	c := newCover(l)
	linked, replaced := s.linked(l), s.replaced(l)
	maps.DeleteFunc(s.files, func(path string, _ *file) bool { return c.hides(path) })
	maps.DeleteFunc(s.owners, func(path string, _ []inventory.Owner) bool { return c.hides(path) })
	maps.DeleteFunc(s.releases, func(path, _ string) bool { return c.hides(path) })

	for _, p := range l.Packages {
		f := s.files[p.Location]
		if f == nil {
			f = &file{path: p.Location, since: index}
			s.files[p.Location] = f
		}
		f.packages = append(f.packages, p)
	}
	for path, old := range replaced {
		if f := s.files[path]; slices.EqualFunc(f.packages, old.packages, samePackage) {
			f.since = old.since // written again, as where only its mode was changed
		}
	}
	for _, o := range l.Owners {
		s.owners[o.Location] = append(s.owners[o.Location], o)
	}
	for _, r := range l.Releases {
		s.releases[r.Path] = r.Content
	}
	s.link(l.Links, linked)
	s.date(index)
}

// replaced are the files below at the paths of those of the layer.
func (s *state) replaced(l inventory.Layer) map[string]*file {
	below := map[string]*file{}
	for _, p := range l.Packages {
		if f, ok := s.files[p.Location]; ok {
			below[p.Location] = f
		}
	}
	return below
}

func samePackage(a, b inventory.Package) bool { return identify(a, "") == identify(b, "") }

// linked are the files below that the layer has hard links to: such a file is
// still there under its new path when the layer removes the old one.
func (s *state) linked(l inventory.Layer) map[string]*file {
	below := map[string]*file{}
	for _, link := range l.Links {
		if f, ok := s.files[link.Target]; ok && !l.Paths.Has(link.Target) {
			below[link.Target] = f
		}
	}
	return below
}

// link gives files their further paths.
func (s *state) link(links []inventory.Link, below map[string]*file) {
	for _, link := range links {
		if f, ok := s.files[link.Target]; ok {
			s.files[link.Path] = f
		} else if f, ok := below[link.Target]; ok {
			s.files[link.Path] = f
		}
		if content, ok := s.releases[link.Target]; ok && isRelease(link.Path) {
			s.releases[link.Path] = content
		}
	}
}

// date keeps the layer of packages that were already there and gives the new
// ones this layer's.
func (s *state) date(index int) {
	now := make(map[identity]int, len(s.first))
	for _, f := range s.files {
		for _, p := range f.packages {
			id := identify(p, f.path)
			since, ok := s.first[id]
			if !ok {
				since = index
			}
			now[id] = since
		}
	}
	s.first = now
}

// packages returns every package once: of a file with several paths at the
// first one left, of a distribution's package in several databases that in the
// first of them.
func (s *state) packages() []inventory.Package {
	var all []inventory.Package
	done := map[*file]bool{}
	seen := map[identity]bool{}
	for _, path := range slices.Sorted(maps.Keys(s.files)) {
		f := s.files[path]
		if done[f] {
			continue
		}
		done[f] = true
		if s.files[f.path] == f {
			path = f.path
		}
		for _, p := range f.packages {
			// By the path it is shown at: another file may be at its first one now.
			shown := identify(p, path)
			if seen[shown] {
				continue
			}
			seen[shown] = true
			p.Location, p.Layer = path, s.first[identify(p, f.path)]
			p.Licenses = slices.Clone(p.Licenses)
			all = append(all, p)
		}
	}
	return all
}
