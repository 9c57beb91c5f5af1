package auth

import (
	"context"
	"testing"
	"time"

	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// stream opens the live stream of a token from where it is now.
func (w *world) stream(token string) *sync.Stream {
	w.t.Helper()
	actor := w.who(token).Actor
	page, err := w.ws.Pull(w.t.Context(), actor, "", 5000)
	w.ok(err)
	s, err := w.ws.Live(w.t.Context(), actor, page.Cursor)
	w.ok(err)
	w.t.Cleanup(s.Close)
	return s
}

// ends fails the test unless the stream ends with the code.
func (w *world) ends(s *sync.Stream, code fault.Code) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	for {
		if _, err := s.Next(ctx); err != nil {
			w.refused(err, code)
			return
		}
	}
}

func TestTokensThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	token := w.signIn(tech, "phone")
	for _, bad := range []string{
		"", "demo", "x" + token, token + "x", newToken("demo"), newToken("nowhere"), newToken("../demo"), newToken("DEMO"),
	} {
		w.out(bad, fault.NotSignedIn)
	}
	w.who(token)
}

func TestTokenOfAnotherWorkspace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	_, err := w.engine.Create(t.Context(), "second", w.firstCommit())
	w.ok(err)
	token := w.signIn(tech, "phone")
	w.out("second"+token[len("demo"):], fault.NotSignedIn)
}

func TestSessionEndsAtItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	token := w.signIn(tech, "phone")
	w.clock.advance(180*24*time.Hour - time.Second)
	id := w.who(token)
	w.clock.advance(time.Second)
	w.out(token, fault.NotSignedIn)
	w.refused(w.auth.Check(t.Context(), id), fault.NotSignedIn)
}

func TestWhatHappensToTheEmployeeCountsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	token := w.signIn(tech, "phone")
	id := w.who(token)
	w.change(tech, sync.Fields{"role": "dispatcher", "name": "Tess T."})
	if now := w.who(token); now.Role != sync.RoleDispatcher || now.Actor.Name != "Tess T." {
		t.Errorf("after the promotion it is %+v, role %s", now.Actor, now.Role)
	}
	w.change(tech, sync.Fields{"active": false})
	w.out(token, fault.NotSignedIn)
	w.refused(w.auth.Check(t.Context(), id), fault.NotSignedIn)
	w.change(tech, sync.Fields{"active": true})
	w.who(token)
	_, err := w.ws.Write(t.Context(), sync.System("test"), sync.Write{Mutations: []sync.Mutation{
		{Kind: company.KindEmployee, DocID: tech, Op: sync.Delete},
	}})
	w.ok(err)
	w.out(token, fault.NotSignedIn)
}

func TestIdentifyCostsNoStoreAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	token, unknown := w.signIn(tech, "phone"), newToken("demo")
	first := w.who(token)
	w.change(other, sync.Fields{"name": "Theo T."})
	before := w.store.calls.Load()
	for range 100 {
		if w.who(token) != first {
			t.Fatal("the identity is made anew at each request")
		}
		w.ok(w.auth.Check(t.Context(), first))
		w.auth.Seen(first, Seen{})
		w.out(unknown, fault.NotSignedIn)
	}
	if n := w.store.calls.Load() - before; n != 0 {
		t.Errorf("it cost %d calls of the store", n)
	}
}

func TestSessionsOutliveTheProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	phone, console, revoked := w.signIn(tech, "phone"), w.signIn(admin, ""), w.signIn(other, "lost")
	w.ok(w.auth.Revoke(t.Context(), w.who(console), "lost", false))
	w.restart()
	w.who(phone)
	w.who(console)
	w.out(revoked, fault.DeviceRevoked)
}

func TestMemoryOfSessionsIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Sessions: 2})
	tokens := []string{w.signIn(tech, "a"), w.signIn(tech, "b"), w.signIn(tech, "c"), w.signIn(tech, "d")}
	for range 2 {
		for _, token := range tokens {
			w.who(token)
		}
	}
	if n := len(w.auth.sessions.byHash.byKey); n != 2 {
		t.Errorf("%d sessions are in memory, want 2", n)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	for _, device := range []string{"phone", ""} {
		t.Run("device "+device, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Limits{})
			token, stays := w.signIn(tech, device), w.signIn(tech, "tablet")
			id, stream := w.who(token), w.stream(token)
			w.ok(w.auth.Logout(t.Context(), id))
			w.out(token, fault.NotSignedIn)
			w.who(stays)
			want := fault.NotSignedIn
			if device == "" {
				want = fault.Unavailable
			}
			w.ends(stream, want)
			w.ok(w.auth.Logout(t.Context(), id))
		})
	}
}

func TestLateLogoutEndsNoLaterSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	before := w.who(w.signIn(tech, "phone"))
	after := w.signIn(tech, "phone")
	w.ok(w.auth.Logout(t.Context(), before))
	w.who(after)

	read, err := w.ws.Document(t.Context(), deviceKey("phone"))
	w.ok(err)
	after = w.signIn(tech, "phone") // between a sign-out's look and its write
	w.refused(signOut(t.Context(), w.ws, read), fault.PreconditionFail)
	w.who(after)
}

func TestDeviceSignsInAgainAfterLogout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	w.ok(w.auth.Logout(t.Context(), w.who(w.signIn(tech, "phone"))))
	d, err := w.ws.Document(t.Context(), deviceKey("phone"))
	w.ok(err)
	if d.Fields[fieldToken] != nil || d.Fields[fieldPush] != nil {
		t.Errorf("a device that signed out keeps %v", d.Fields)
	}
	w.who(w.signIn(tech, "phone"))
}

func TestIssue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	for _, id := range []string{tech, nopass} {
		token, err := w.auth.Issue(t.Context(), w.ws, id, DeviceInput{ID: "bench-" + id})
		w.ok(err)
		if a := w.who(token).Actor; a.User != id || a.Device != "bench-"+id {
			t.Errorf("the token of %s is %+v", id, a)
		}
	}
	if w.hashed.Load() != 0 {
		t.Error("a password was hashed")
	}
	for _, id := range []string{gone, "nobody"} {
		_, err := w.auth.Issue(t.Context(), w.ws, id, DeviceInput{ID: "x"})
		w.refused(err, fault.NotFound)
	}
	_, err := w.auth.Issue(t.Context(), w.ws, tech, DeviceInput{})
	w.refused(err, fault.InvalidInput)
}
