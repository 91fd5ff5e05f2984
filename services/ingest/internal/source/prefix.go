package source

// prefixed is a path inside one of the sender's own repositories, as it is
// pulled: behind what the configuration says for that repository. Where it
// says nothing about any, it is behind fallback. A blank prefix is none.
func prefixed(configured map[string]string, own, fallback, path string) (string, Reason) {
	prefix, ok := configured[own]
	switch {
	case len(configured) == 0:
		prefix = fallback
	case !ok:
		return "", OtherRepository
	}
	whole := repository(path)
	if prefix != "" {
		whole = joined(prefix, path)
	}
	if whole == "" {
		return "", NoRepository
	}
	return whole, ""
}
