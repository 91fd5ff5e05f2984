package events

import (
	"fmt"
	"strconv"
	"strings"
)

// check names the field and the value that is wrong.
func check(ok bool, field, value string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s %q is not valid", field, clip(value))
}

func checkEach(valid func(string) bool, field string, values []string) error {
	for _, v := range values {
		if !valid(v) {
			return check(false, field, v)
		}
	}
	return nil
}

func checkDigest(field string, d Digest) error {
	return check(validDigest(string(d)), field, string(d))
}

// clip keeps a hostile value from filling a log line.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// maxStatus is the last of the states of an image's newest scan, which run
// from 0, failed, to 6, completed, as Mirantis Secure Registry counts.
const maxStatus = 6

func checkStatus(status int) error {
	return check(0 <= status && status <= maxStatus, "status", strconv.Itoa(status))
}

// checkCounts tells whether the least of the field's numbers is one.
func checkCounts(field string, least int) error {
	return check(least >= 0, field, strconv.Itoa(least))
}
