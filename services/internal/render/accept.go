package render

import (
	"mime"
	"strconv"
	"strings"
)

// JSON is the report as it is, which its own encoder writes. It is no form of
// this package's, but one to be asked for.
const JSON Form = "json"

// Accepted is the form an Accept header likes best, JSON where it takes
// anything; false where it takes no form there is.
func Accepted(header string) (Form, bool) {
	best, most := Form(""), 0.0
	for part := range strings.SplitSeq(header, ",") {
		kind, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		quality := 1.0
		if q, given := parameters["q"]; given {
			if quality, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		if form := ofType(kind); form != "" && quality > most {
			best, most = form, quality
		}
	}
	return best, best != ""
}

func ofType(kind string) Form {
	switch kind {
	case "*/*", "application/*", "application/json":
		return JSON
	case "text/*":
		return CSV
	}
	for _, f := range Forms() {
		if own, _, _ := strings.Cut(f.ContentType(), ";"); own == kind {
			return f
		}
	}
	return ""
}
