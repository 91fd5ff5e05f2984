package client

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// UnreachableError is the error for a server that did not answer.
type UnreachableError struct {
	Address string
	Err     error
}

// Error tells what to do, too.
func (u *UnreachableError) Error() string {
	return "no pipeline answers at " + u.Address + " (" + u.Err.Error() + "): start one with `landwaiter up`, or name it with --server"
}

// Unwrap is the cause.
func (u *UnreachableError) Unwrap() error { return u.Err }

// ProblemError is what the API says is wrong.
type ProblemError struct {
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Detail string   `json:"detail"`
	Remedy string   `json:"remedy"`
	Errors []string `json:"errors"`
}

// Error is what is wrong and the remedy.
func (p *ProblemError) Error() string {
	if p.Status == http.StatusUnauthorized {
		return "the server asks for a token and does not take this one: set LANDWAITER_TOKEN, or name a file with --token-file; " +
			"`landwaiter up` printed the admin's token at its first start"
	}
	parts := []string{p.Detail}
	if p.Detail == "" {
		parts[0] = p.Title
	}
	if len(p.Errors) > 1 || (len(p.Errors) == 1 && !strings.Contains(p.Detail, p.Errors[0])) {
		parts = append(parts, p.Errors...)
	}
	if p.Remedy != "" {
		parts = append(parts, p.Remedy)
	}
	return strings.Join(parts, "; ")
}

// problem reads an answer that is no success.
func (c *Client) problem(res *http.Response) error {
	const enough = 64 << 10
	p := &ProblemError{Title: res.Status, Status: res.StatusCode}
	raw, err := io.ReadAll(io.LimitReader(res.Body, enough))
	if err != nil || json.Unmarshal(raw, p) != nil || p.Status != res.StatusCode {
		// Not our API: a proxy, or something else at this address.
		p.Title, p.Status = res.Status+" from "+c.base.String(), res.StatusCode
	}
	return p
}
