package members_test

import (
	"testing"
	"time"

	"github.com/enroute-field/enroute/internal/members"
)

// FuzzTime: a member that reads as a time is, written as an instant, the same
// one to the millisecond.
func FuzzTime(f *testing.F) {
	for _, seed := range []string{"2026-11-21T12:00:00.123456Z", "2026-11-21T12:00:00+14:00", "2026-11-21", "", "0000-01-01T00:00:00Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at := members.Time(map[string]any{"at": text}, "at")
		if y := at.UTC().Year(); y < 0 || y > 9999 {
			return // no document holds it
		}
		again := members.Time(map[string]any{"at": members.Instant(at)}, "at")
		if !again.Equal(at.Truncate(time.Millisecond)) {
			t.Fatalf("%q is %v, then %v", text, at, again)
		}
	})
}
