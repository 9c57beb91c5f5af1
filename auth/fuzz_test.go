package auth

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/enroute-field/enroute/internal/fault"
)

// FuzzParseToken: a text is a token of the workspace it begins with, or none.
func FuzzParseToken(f *testing.F) {
	f.Add(newToken("demo"))
	f.Add("")
	f.Add("a.b.c")
	f.Add(newToken("demo") + "A")
	f.Fuzz(func(t *testing.T, token string) {
		name, hash, ok := parseToken(token)
		switch {
		case !ok && (name != "" || hash != tokenHash{}):
			t.Errorf("refused, but gives %q and %s", name, hash)
		case ok && len(token)-len(name) != 1+secretChars:
			t.Errorf("%q holds a secret of %d characters", token, len(token)-len(name)-1)
		case ok && (name == "" || len(token) > maxTokenChars || !strings.HasPrefix(token, name+".")):
			t.Errorf("%q is taken for a token of %q", token, name)
		case parseHash(hash.String()) != hash:
			t.Errorf("hash %s does not read back", hash)
		}
	})
}

// FuzzPassword: a password that was accepted is recognized however the
// keyboard composes its letters, and nothing else is taken for it.
func FuzzPassword(f *testing.F) {
	for _, seed := range []string{"correct horse battery", "é̃éééééééééé", "short", "\xff\xfe\x00aaaaaaaaaaaa", strings.Repeat("é", 512), strings.Repeat("\u0344", 500)} {
		f.Add(seed, "x")
	}
	f.Fuzz(func(t *testing.T, password, other string) {
		kept, err := newPassword(password)
		if err != nil {
			if !fault.Is(err, fault.WeakPassword) && !fault.Is(err, fault.InvalidInput) {
				t.Fatalf("%q: %v", password, err)
			}
			return
		}
		if utf8.RuneCountInString(kept) < minPassword {
			t.Fatalf("%q is long enough", password)
		}
		for _, typed := range []string{password, norm.NFC.String(password), norm.NFD.String(password)} {
			given, ok := normalize(typed)
			if len(typed) <= maxPasswordBytes && (!ok || given != kept) {
				t.Fatalf("%q was accepted, and as %q it is another: %q, %v", password, typed, given, ok)
			}
		}
		given, ok := normalize(other)
		if ok && given == kept && norm.NFD.String(other) != norm.NFD.String(password) {
			t.Fatalf("%q opens what %q closed", other, password)
		}
	})
}

// FuzzNotes: what is noted of a device reads as it was, and a note that is
// none as nothing.
func FuzzNotes(f *testing.F) {
	f.Add("2026-11-21T12:00:00Z", "1.0", "3")
	f.Add("yesterday", "", "-1e3")
	f.Fuzz(func(t *testing.T, seen, version, pending string) {
		notes := map[string][]byte{noteSeen + "d": []byte(seen), noteVersion + "d": []byte(version), notePending + "d": []byte(pending)}
		d := DeviceInfo{ID: "d"}
		d.fill(notes)
		if d.AppVersion != version {
			t.Fatalf("version %q reads as %q", version, d.AppVersion)
		}
		if d.LastSeenAt == nil {
			return
		}
		again, written := DeviceInfo{ID: "d"}, map[string][]byte{}
		(&facts{at: *d.LastSeenAt, version: d.AppVersion, pending: d.Pending}).note(written, "d")
		again.fill(written)
		if y := d.LastSeenAt.UTC().Year(); y < 0 || y > 9999 {
			return // no clock shows it
		}
		if again.LastSeenAt == nil || !again.LastSeenAt.Equal(d.LastSeenAt.Round(time.Nanosecond)) || (again.Pending == nil) != (d.Pending == nil) || d.Pending != nil && *again.Pending != *d.Pending {
			t.Fatalf("%+v, then %+v", d, again)
		}
	})
}
