// Package problem writes RFC 9457 problem documents: what is wrong and what to
// do about it.
package problem

import (
	"encoding/json"
	"net/http"
)

// Problem is an error as the API tells it.
//
//nolint:errname // RFC 9457 calls it a problem
type Problem struct {
	Title  string `json:"title"` // the kind of problem
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"` // what is wrong this time
	Remedy string `json:"remedy,omitempty"` // what to do about it
	// Errors lists several mistakes of one document.
	Errors []string `json:"errors,omitempty"`
}

// New is a problem whose title is its status in words.
func New(status int, detail, remedy string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail, Remedy: remedy}
}

// Error is what is wrong and the remedy.
func (p *Problem) Error() string {
	if p.Remedy == "" {
		return p.Detail
	}
	return p.Detail + "; " + p.Remedy
}

// Write answers with the problem.
func (p *Problem) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errchkjson // the asker is gone
}
