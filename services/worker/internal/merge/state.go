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
	maps.DeleteFunc(s.files, func(path string, _ *file) bool { return c.hides(path) })
	maps.DeleteFunc(s.owners, func(path string, _ []inventory.Owner) bool { return c.hides(path) })
	maps.DeleteFunc(s.releases, func(path, _ string) bool { return c.hides(path) })

	for _, p := range l.Packages {
		f := s.files[p.Location]
		if f == nil {
			f = &file{path: p.Location}
			s.files[p.Location] = f
		}
		f.packages = append(f.packages, p)
	}
	for _, o := range l.Owners {
		s.owners[o.Location] = append(s.owners[o.Location], o)
	}
	for _, r := range l.Releases {
		s.releases[r.Path] = r.Content
	}
	s.link(l.Links)
	s.date(index)
}

// link gives files their further paths.
func (s *state) link(links []inventory.Link) {
	for _, link := range links {
		if f, ok := s.files[link.Target]; ok {
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
			id := identify(p, f.path)
			if seen[id] {
				continue
			}
			seen[id] = true
			p.Location, p.Layer = path, s.first[id]
			p.Licenses = slices.Clone(p.Licenses)
			all = append(all, p)
		}
	}
	return all
}
