package inventory

import "cmp"

// Compare orders packages by type, name, version, location and architecture.
func Compare(a, b Package) int {
	return cmp.Or(
		cmp.Compare(a.Type, b.Type),
		cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.Version, b.Version),
		cmp.Compare(a.Location, b.Location),
		cmp.Compare(a.Arch, b.Arch),
	)
}
