package auth

import (
	"testing"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
)

func TestRevokedDeviceIsOutAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	boss := w.who(w.signIn(admin, ""))
	token, tablet, foreign := w.signIn(tech, "phone"), w.signIn(tech, "tablet"), w.signIn(other, "theirs")
	id, stream := w.who(token), w.stream(token)
	w.ok(w.auth.Revoke(t.Context(), boss, "phone", false))
	w.out(token, fault.DeviceRevoked)
	w.refused(w.auth.Check(t.Context(), id), fault.DeviceRevoked)
	w.ends(stream, fault.DeviceRevoked)
	w.who(tablet)
	w.who(foreign)

	w.change(tech, map[string]any{"active": false})
	w.out(token, fault.DeviceRevoked) // so that its app still wipes
	w.change(tech, map[string]any{"active": true})
	w.who(w.signIn(tech, "phone"))
	w.out(token, fault.NotSignedIn)
}

func TestRevokedDeviceHandsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	boss := w.who(w.signIn(admin, ""))
	token := w.signIn(tech, "phone")
	before, stream := w.who(token), w.stream(token)
	w.ok(w.auth.Revoke(t.Context(), boss, "phone", true))
	w.ends(stream, fault.DeviceRevoked)
	w.refused(w.auth.Check(t.Context(), before), fault.DeviceRevoked)
	id := w.who(token)
	if !id.HandInOnly {
		t.Fatal("a revoked device may do everything")
	}
	_, err := w.auth.Devices(t.Context(), id)
	w.refused(err, fault.DeviceRevoked)
	w.refused(w.auth.SetPassword(t.Context(), id, tech, password, "another long password"), fault.DeviceRevoked)

	w.clock.advance(24*time.Hour - time.Second)
	w.who(token)
	w.clock.advance(time.Second)
	w.out(token, fault.DeviceRevoked)
}

func TestHandInIsTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	boss := w.who(w.signIn(admin, ""))
	token := w.signIn(tech, "phone")
	w.ok(w.auth.Revoke(t.Context(), boss, "phone", true))
	w.who(token)
	w.ok(w.auth.Revoke(t.Context(), boss, "phone", false))
	w.out(token, fault.DeviceRevoked)
}

func TestRevokedConsole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	boss := w.who(w.signIn(admin, ""))
	laptop, phone := w.signIn(tech, ""), w.signIn(tech, "phone")
	stream := w.stream(phone)
	w.ok(w.auth.Revoke(t.Context(), boss, w.who(laptop).SessionID, false))
	w.out(laptop, fault.DeviceRevoked)
	w.who(phone)
	w.ends(stream, fault.Unavailable) // comes back, and must not think it was revoked
}

func TestOnlyAdministratorsManageDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	token := w.signIn(tech, "phone")
	for _, id := range []string{tech, office, other} {
		who := w.who(w.signIn(id, "x-"+id))
		w.refused(w.auth.Revoke(t.Context(), who, "phone", false), fault.Forbidden)
		_, err := w.auth.Devices(t.Context(), who)
		w.refused(err, fault.Forbidden)
	}
	w.refused(w.auth.Revoke(t.Context(), w.who(w.signIn(admin, "")), "nothing", false), fault.NotFound)
	w.who(token)
}

func TestDevicesAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	boss := w.who(w.signIn(admin, ""))
	w.clock.advance(time.Minute)
	phone, out, lost := w.who(w.signIn(tech, "b-phone")), w.who(w.signIn(tech, "c-out")), w.signIn(other, "d-lost")
	w.ok(w.auth.Logout(t.Context(), out))
	w.ok(w.auth.Revoke(t.Context(), boss, "d-lost", true))
	w.who(lost)
	page, err := w.ws.Pull(t.Context(), phone.Actor, "", 0)
	w.ok(err)
	_, err = w.ws.Pull(t.Context(), phone.Actor, page.Cursor, 0)
	w.ok(err)
	w.change(tech, map[string]any{"phone": "514 555-0101"})
	w.clock.advance(time.Minute)
	seven := 7
	w.auth.Seen(phone, Seen{AppVersion: "1.1", Pending: &seven})
	w.clock.advance(time.Minute)
	w.auth.Seen(phone, Seen{})

	for _, when := range []string{"gathered", "stored"} {
		list, err := w.auth.Devices(t.Context(), boss)
		w.ok(err)
		if len(list) != 4 {
			t.Fatalf("%s: %d devices, want 4: %+v", when, len(list), list)
		}
		d := list[0]
		if d.ID != "b-phone" || d.UserID != tech || d.Name != "Pixel" || d.Platform != "android" || !d.SignedIn || d.Console {
			t.Errorf("%s: the phone is %+v", when, d)
		}
		if d.AppVersion != "1.1" || d.Pending == nil || *d.Pending != 7 || d.LastSeenAt == nil || !d.LastSeenAt.Equal(w.clock.Now()) {
			t.Errorf("%s: of what the phone told there is %+v", when, d)
		}
		if d.Lag == nil || *d.Lag != 1 {
			t.Errorf("%s: the phone lags by %v, want 1", when, d.Lag)
		}
		if list[1].ID != "c-out" || list[1].SignedIn || list[1].RevokedAt != nil || list[1].Lag != nil {
			t.Errorf("%s: the one signed out is %+v", when, list[1])
		}
		if !list[2].Console || !list[2].SignedIn || list[2].UserID != admin {
			t.Errorf("%s: the console is %+v", when, list[2])
		}
		if list[3].SignedIn || list[3].RevokedAt == nil || list[3].HandInUntil == nil {
			t.Errorf("%s: the revoked one is %+v", when, list[3])
		}
		boss = w.again(boss)
	}
}

// TestNotesEndWithTheirSession: consoles come and go, and leave nothing behind.
func TestNotesEndWithTheirSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	boss, console := w.who(w.signIn(admin, "desk")), w.who(w.signIn(tech, ""))
	w.auth.Seen(boss, Seen{})
	w.auth.Seen(console, Seen{AppVersion: "1"})
	for _, want := range []int{3, 1} { // boss seen; the console seen, with its version
		_, err := w.auth.Devices(t.Context(), boss)
		w.ok(err)
		notes, err := w.ws.Notes(t.Context(), notePrefix)
		w.ok(err)
		if len(notes) != want {
			t.Errorf("%d notes are kept, want %d: %q", len(notes), want, notes)
		}
		w.ok(w.auth.Logout(t.Context(), console))
	}
}

// again closes and starts the program; the identity holds as before.
func (w *world) again(id *Identity) *Identity {
	w.t.Helper()
	hash := id.session.hash
	w.restart()
	now, err := w.auth.identify(w.t.Context(), w.ws, hash)
	w.ok(err)
	return now
}
