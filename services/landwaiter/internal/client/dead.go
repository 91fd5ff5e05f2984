package client

import "time"

// DeadLetter is what could not be handled.
type DeadLetter struct {
	ID         string    `json:"id"`
	Stream     string    `json:"stream"`
	Subject    string    `json:"subject,omitempty"`
	Reason     string    `json:"reason"`
	Consumer   string    `json:"consumer,omitempty"`
	Time       time.Time `json:"time"`
	Registry   string    `json:"registry,omitempty"`
	Size       int       `json:"size"` // bytes
	Replayable bool      `json:"replayable"`
}

// DeadLetters is a page of dead letters.
type DeadLetters struct {
	Letters    []DeadLetter `json:"letters"`
	NextCursor string       `json:"nextCursor"`
}

// Replay asks for a batch of dead letters to be replayed.
type Replay struct {
	Stream   string `json:"stream,omitempty"`
	Contains string `json:"contains,omitempty"`
	Cursor   string `json:"cursor,omitempty"`
}

// Replayed is what became of a batch.
type Replayed struct {
	Replayed   int    `json:"replayed"`
	Skipped    int    `json:"skipped"`
	NextCursor string `json:"nextCursor"`
}
