package auth

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
)

// walker does at random what may happen to sessions and keeps, in the
// simplest way, what each token should be answered.
type walker struct {
	*world
	rand     *rand.Rand
	tokens   []*issued
	accounts map[string]*walked
}

// issued is a token and what became of it.
type issued struct {
	token, user, device string
	console             bool
	generation          int // of the password it was opened under
	expires             time.Time
	dead                bool // signed out, replaced or forgotten
	revoked             bool
	handIn              time.Time
}

// walked is an account.
type walked struct {
	active     bool
	password   string
	generation int
	kept       *issued // outlived the last change of the password
}

// Whatever happens to devices, passwords, employees and the program, in any
// order, each token is answered as it should be, right after each step.
func TestEveryTokenIsAnsweredAsItShould(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := &walker{
				world: newWorld(t, Limits{}), rand: rand.New(rand.NewPCG(seed, 1)),
				accounts: map[string]*walked{tech: {active: true, password: password}, other: {active: true, password: password}},
			}
			for step := range 120 {
				did := w.step()
				for i, k := range w.tokens {
					if got, want := w.answer(k), w.expected(k); got != want {
						t.Fatalf("step %d, %s: token %d (%+v) is answered %q, want %q", step, did, i, *k, got, want)
					}
				}
			}
		})
	}
}

func (w *walker) answer(k *issued) string {
	id, err := w.auth.Identify(w.t.Context(), k.token)
	switch {
	case err != nil:
		return string(fault.Of(err).Code)
	case id.HandInOnly:
		return "hand in"
	}
	return "as " + id.Actor.User + " on " + id.Actor.Device
}

func (w *walker) expected(k *issued) string {
	a, now := w.accounts[k.user], w.clock.Now()
	ok := a.active && (k.generation == a.generation || k == a.kept) && now.Before(k.expires)
	switch {
	case k.dead, !ok && !k.revoked:
		return string(fault.NotSignedIn)
	case !k.revoked:
		return "as " + k.user + " on " + k.device
	case ok && now.Before(k.handIn):
		return "hand in"
	}
	return string(fault.DeviceRevoked)
}

func (w *walker) step() string {
	user := []string{tech, other}[w.rand.IntN(2)]
	steps := []func(user string) string{
		w.enter, w.enter, w.enter, w.leave, w.revoke, w.toggle, w.wait, w.ownPassword, w.reset, w.reopen,
	}
	return steps[w.rand.IntN(len(steps))](user)
}

// enter signs in on one of two phones or on a console.
func (w *walker) enter(user string) string {
	a := w.accounts[user]
	device := []string{"phone", "tablet", ""}[w.rand.IntN(3)]
	s, err := w.login(user, a.password, device)
	if !a.active {
		w.refused(err, fault.BadCredentials)
		w.auth.accounts.reset(accountKey("demo", user+"@demo.example"))
		return "refused sign-in"
	}
	w.ok(err)
	for _, k := range w.tokens {
		forgotten := k.console && k.user == user && !w.clock.Now().Before(k.expires)
		if device != "" && k.device == device || device == "" && forgotten {
			k.dead = true
		}
	}
	w.tokens = append(w.tokens, &issued{
		token: s.Token, user: user, device: device, console: device == "", generation: a.generation, expires: s.ExpiresAt,
	})
	return fmt.Sprintf("sign-in of %s on %q", user, device)
}

// any token that is let in; nil if there is none of the user.
func (w *walker) any(user string) (*issued, *Identity) {
	for _, i := range w.rand.Perm(len(w.tokens)) {
		k := w.tokens[i]
		if id, err := w.auth.Identify(w.t.Context(), k.token); err == nil && k.user == user {
			return k, id
		}
	}
	return nil, nil
}

func (w *walker) leave(user string) string {
	k, id := w.any(user)
	if k == nil {
		return "nothing"
	}
	w.ok(w.auth.Logout(w.t.Context(), id))
	k.dead = true
	return "sign-out"
}

func (w *walker) revoke(user string) string {
	k, id := w.any(user)
	if k == nil {
		return "nothing"
	}
	handIn := w.rand.IntN(2) == 0
	boss := w.who(w.signIn(admin, ""))
	w.ok(w.auth.Revoke(w.t.Context(), boss, id.SessionID, handIn))
	w.ok(w.auth.Logout(w.t.Context(), boss))
	k.revoked, k.handIn = true, time.Time{}
	if handIn {
		k.handIn = w.clock.Now().Add(24 * time.Hour)
	}
	return fmt.Sprint("revocation, hand in ", handIn)
}

func (w *walker) toggle(user string) string {
	a := w.accounts[user]
	a.active = !a.active
	w.change(user, map[string]any{"active": a.active})
	return fmt.Sprintf("%s active: %v", user, a.active)
}

func (w *walker) wait(string) string {
	d := []time.Duration{time.Minute, 13 * time.Hour, 90 * 24 * time.Hour}[w.rand.IntN(3)]
	w.clock.advance(d)
	return fmt.Sprint("after ", d)
}

func (w *walker) ownPassword(user string) string {
	k, id := w.any(user)
	if k == nil || id.HandInOnly {
		return "nothing"
	}
	a := w.accounts[user]
	next := fmt.Sprint("password number ", a.generation+1)
	w.ok(w.auth.SetPassword(w.t.Context(), id, user, a.password, next))
	a.password, a.generation, a.kept = next, a.generation+1, k
	return user + " changes the password"
}

func (w *walker) reset(user string) string {
	a := w.accounts[user]
	next := fmt.Sprint("password number ", a.generation+1)
	w.ok(w.auth.ResetPassword(w.t.Context(), w.ws, user, next))
	a.password, a.generation, a.kept = next, a.generation+1, nil
	return user + "'s password is reset"
}

func (w *walker) reopen(string) string {
	w.restart()
	return "restart"
}
