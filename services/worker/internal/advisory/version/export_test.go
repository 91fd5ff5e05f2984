package version

// CompareParsed compares by the library alone.
func CompareParsed(v, w Version) (int, error) { return v.compareParsed(w) }
