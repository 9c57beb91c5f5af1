package auth

import (
	"testing"

	"github.com/enroute-field/enroute/internal/fault"
)

const better = "an even better password"

func TestOwnPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	mine, phone, console, foreign := w.signIn(tech, "mine"), w.signIn(tech, "phone"), w.signIn(tech, ""), w.signIn(other, "x")
	id, stream := w.who(mine), w.stream(phone)
	w.ok(w.auth.SetPassword(t.Context(), id, tech, password, better))
	w.who(mine)
	w.ok(w.auth.Check(t.Context(), id))
	w.out(phone, fault.NotSignedIn)
	w.out(console, fault.NotSignedIn)
	w.ends(stream, fault.Unavailable)
	w.who(foreign)
	_, err := w.login(tech, password, "phone")
	w.refused(err, fault.BadCredentials)
	s, err := w.login(tech, better, "phone")
	w.ok(err)

	w.ok(w.auth.SetPassword(t.Context(), w.who(s.Token), tech, better, password))
	w.who(s.Token)
	w.out(mine, fault.NotSignedIn)
	w.restart()
	w.who(s.Token)
	w.out(mine, fault.NotSignedIn)
}

func TestOwnPasswordNeedsTheCurrentOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{AccountFailures: 2})
	for _, user := range []string{tech, admin} {
		id := w.who(w.signIn(user, "x-"+user))
		for _, current := range []string{"", "not the current one"} {
			err := w.auth.SetPassword(t.Context(), id, user, current, better)
			w.refused(err, fault.InvalidInput)
			if f := fault.Of(err).Fields; len(f) != 1 || f[0].Field != "currentPassword" || f[0].Code != fault.WrongPassword {
				t.Errorf("the refusal is about %+v", f)
			}
		}
		w.refused(w.auth.SetPassword(t.Context(), id, user, password, better), fault.TooManyRequests)
		w.signIn(user, "") // whoever guesses there locks nobody out here
	}
}

func TestAdministratorSetsThePasswordOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	console := w.signIn(admin, "")
	boss, phone := w.who(console), w.signIn(tech, "phone")
	for _, user := range []string{tech, nopass} {
		w.ok(w.auth.SetPassword(t.Context(), boss, user, "", better))
		_, err := w.login(user, better, "new-"+user)
		w.ok(err)
	}
	w.out(phone, fault.NotSignedIn)
	w.who(console)
	w.refused(w.auth.SetPassword(t.Context(), boss, "nobody", "", better), fault.NotFound)
}

func TestNobodyElseSetsPasswords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	for _, user := range []string{tech, office} {
		id := w.who(w.signIn(user, "x-"+user))
		w.refused(w.auth.SetPassword(t.Context(), id, other, password, better), fault.Forbidden)
		w.refused(w.auth.SetPassword(t.Context(), id, "nobody", password, better), fault.Forbidden)
	}
	w.signIn(other, "")
}

func TestWeakPasswordIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	token := w.signIn(tech, "phone")
	err := w.auth.SetPassword(t.Context(), w.who(token), tech, password, "elevenchars")
	w.refused(err, fault.WeakPassword)
	if got := fault.Of(err).Detail("fr"); got != "Un mot de passe doit avoir au moins 12 caractères." {
		t.Errorf("says %q", got)
	}
	w.refused(w.auth.ResetPassword(t.Context(), w.ws, tech, "short"), fault.WeakPassword)
	w.who(token)
	w.signIn(tech, "")
}

func TestResetEndsEverySession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	phone, console := w.signIn(tech, "phone"), w.signIn(tech, "")
	w.ok(w.auth.SetPassword(t.Context(), w.who(phone), tech, password, better))
	w.ok(w.auth.ResetPassword(t.Context(), w.ws, tech, password))
	w.out(phone, fault.NotSignedIn)
	w.out(console, fault.NotSignedIn)
	w.refused(w.auth.ResetPassword(t.Context(), w.ws, "nobody", better), fault.NotFound)
}

func TestTwoChangesAtOnceLeaveOnePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	acc, err := w.auth.accountOf(t.Context(), w.ws, tech)
	w.ok(err)
	w.ok(w.auth.replacePassword(t.Context(), acc, better, ""))
	w.refused(w.auth.replacePassword(t.Context(), acc, "a password too late", ""), fault.PreconditionFail)
	_, err = w.login(tech, better, "")
	w.ok(err)
}
