// Package fault is the one error vocabulary of Enroute: a stable code, a
// text in the reader's language that is safe to show to a person, and, apart
// from both, the cause that only operators see.
//
// Errors of libraries and stores are internal until somebody who knows what
// they mean gives them a code with New(...).Because(err).
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Error is a refusal that can be shown to whoever asked.
type Error struct {
	Code       Code
	Args       map[string]string // values for the placeholders of the catalogue's text
	Fields     []Field           // which fields are at fault, for code "invalid"
	RetryAfter time.Duration     // for codes that ask to come back later
	Cause      error             // for the log, never shown
}

// Field is what is wrong with one field of a request or document.
type Field struct {
	Field string // path, as "address.city" or "mutations.3.docId"
	Code  Code
	Args  map[string]string
}

// New makes an Error from a code and name, value pairs for its text.
func New(code Code, args ...string) *Error {
	return &Error{Code: code, Args: pairs(args)}
}

// Invalid is the error of a well-formed but invalid request.
func Invalid(fields ...Field) *Error { return &Error{Code: InvalidInput, Fields: fields} }

// At makes a Field from a path, a code and name, value pairs.
func At(field string, code Code, args ...string) Field {
	return Field{Field: field, Code: code, Args: pairs(args)}
}

// Because sets the cause, which is logged and never shown.
func (e *Error) Because(err error) *Error {
	e.Cause = err
	return e
}

// After sets when it is worth asking again.
func (e *Error) After(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}

// Error is for logs: code, arguments, fields and cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	for _, f := range e.Fields {
		fmt.Fprintf(&b, " [%s %s]", f.Field, f.Code)
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// Detail is the text to show, in lang ("fr…" is French, all else English).
func (e *Error) Detail(lang string) string { return e.Code.text(lang).fill(e.Args) }

// Detail is the text to show about this field, in lang.
func (f Field) Detail(lang string) string { return f.Code.text(lang).fill(f.Args) }

// Of finds the Error in err; an error that has none is Internal.
func Of(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return New(Internal).Because(err)
}

// Is says whether err carries code.
func Is(err error, code Code) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}

func pairs(args []string) map[string]string {
	if len(args) == 0 {
		return nil
	}
	m := make(map[string]string, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	return m
}
