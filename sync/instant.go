package sync

import "time"

// ParseInstant reads a time in the form of RFC 3339, to the letter. Not ok is
// also one whose year in UTC has not four digits: it could be read, but not
// written again in that form, and would sort wrongly.
func ParseInstant(text string) (at time.Time, ok bool) {
	if err := at.UnmarshalText([]byte(text)); err != nil {
		return time.Time{}, false
	}
	at = at.UTC()
	if y := at.Year(); y < 0 || y > 9999 {
		return time.Time{}, false
	}
	return at, true
}
