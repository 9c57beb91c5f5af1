package device

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Transport carries a device's requests to its server. An error that holds a
// *Problem is the server's answer; any other means that none arrived, and the
// request may or may not have had its effect.
type Transport interface {
	// Pull asks for what is new since the cursor ("" is from nothing); limit
	// bounds the rows of the page, 0 is the server's default.
	Pull(ctx context.Context, cursor string, limit int) (*Page, error)
	// Push sends mutations.
	Push(ctx context.Context, req PushRequest) (*PushResponse, error)
	// Live opens the stream of pages that begins at the cursor.
	Live(ctx context.Context, cursor string) (Stream, error)
	// Report tells that this device had to start over.
	Report(ctx context.Context, r Report) error
}

// Stream gives the pages of a live connection, each computed for the cursor
// of the one before.
type Stream interface {
	// Next waits for a page; io.EOF when the server ended the stream.
	Next(ctx context.Context) (*Page, error)
	Close() error
}

// Problem is a refusal by the server (RFC 9457).
type Problem struct {
	Type       string         `json:"type,omitempty"`
	Title      string         `json:"title,omitempty"`
	Status     int            `json:"status"`
	Code       string         `json:"code"`
	Detail     string         `json:"detail,omitempty"`
	Errors     []FieldProblem `json:"errors,omitempty"`
	RetryAfter time.Duration  `json:"-"` // of the header, 0 if there was none
}

// FieldProblem is what is wrong with one field.
type FieldProblem struct {
	Field  string `json:"field"`
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
}

func (p *Problem) Error() string {
	s := fmt.Sprintf("server answered %d %s", p.Status, p.Code)
	for _, f := range p.Errors {
		s += fmt.Sprintf(" [%s %s]", f.Field, f.Code)
	}
	return s
}

// The codes that a device acts on.
const (
	codeBadCursor     = "bad_cursor"
	codeDeviceRevoked = "device_revoked"
)

// problem finds the server's answer in err; nil if there was none.
func problem(err error) *Problem {
	p, _ := errors.AsType[*Problem](err)
	return p
}
