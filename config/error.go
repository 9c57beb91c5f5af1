package config

import "fmt"

// Error says which setting is wrong, and why.
type Error struct {
	Field  string // name of the setting
	Value  string // as given; hidden when it is a secret
	Source string // where it was given: "--listen", "ENROUTE_LISTEN", a file's name
	Why    string // what is expected
}

func (e *Error) Error() string {
	at := e.Field
	if e.Source != "" {
		at += " (" + e.Source + ")"
	}
	return fmt.Sprintf("%s = %q: %s", at, e.Value, e.Why)
}
