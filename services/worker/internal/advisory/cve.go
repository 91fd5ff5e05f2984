package advisory

import "strings"

// CVE gives the CVE an id is or wraps: CVE-2024-1 of itself and of
// DEBIAN-CVE-2024-1, ALPINE-CVE-2024-1, UBUNTU-CVE-2024-1.
func CVE(id string) (string, bool) {
	i := strings.Index(id, "CVE-")
	if i < 0 || (i > 0 && id[i-1] != '-') {
		return "", false
	}
	cve := id[i:]
	year, number, found := strings.Cut(cve[len("CVE-"):], "-")
	if !found || len(year) != 4 || len(number) < 4 || !digits(year) || !digits(number) {
		return "", false
	}
	return cve, true
}

// CVEs gives the CVEs among ids, each once, in the order given.
func CVEs(ids ...string) []string {
	var out []string
	seen := map[string]bool{}
	for _, id := range ids {
		if cve, ok := CVE(id); ok && !seen[cve] {
			seen[cve] = true
			out = append(out, cve)
		}
	}
	return out
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
