package auth

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

func TestLoginSaysWhoAndWhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	s, err := w.auth.Login(t.Context(), LoginRequest{
		Workspace: " Demo", Email: " Tess@Demo.example ", Password: password, Device: &DeviceInput{ID: "phone-1"},
	})
	w.ok(err)
	if s.User != (UserInfo{ID: tech, EmployeeID: tech, Name: tech, Role: sync.RoleTechnician}) {
		t.Errorf("user is %+v", s.User)
	}
	if s.DeviceID != "phone-1" || !s.ExpiresAt.Equal(w.clock.Now().Add(180*24*time.Hour)) {
		t.Errorf("session is %+v", s)
	}
	if s.Workspace.Name != "demo" || s.Workspace.DisplayName != "Plomberie Démo" || s.Workspace.TimeZone != "America/Toronto" {
		t.Errorf("workspace is %+v", s.Workspace)
	}
	id := w.who(s.Token)
	if id.Actor != (sync.Actor{User: tech, Device: "phone-1", Name: tech}) || id.Role != sync.RoleTechnician || id.HandInOnly {
		t.Errorf("identity is %+v", id)
	}
	if id.Workspace != w.ws || id.SessionID != "phone-1" {
		t.Errorf("identity is of %s, session %s", id.Workspace.Name(), id.SessionID)
	}
}

// To try a password is no sign-in, and cannot lock anybody out.
func TestOpensLeavesNoTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{AccountFailures: 2})
	before, err := w.ws.Head(t.Context())
	w.ok(err)
	for _, c := range []struct {
		workspace, email, password string
		opens                      bool
	}{
		{"demo", "tess@demo.example", password, true},
		{"demo", "tess@demo.example", "another one", false},
		{"demo", "tess@demo.example", "and another", false},
		{"demo", "tess@demo.example", "and a third", false},
		{"demo", "nobody@demo.example", password, false},
		{"nowhere", "tess@demo.example", password, false},
	} {
		got, err := w.auth.Opens(t.Context(), LoginRequest{Workspace: c.workspace, Email: c.email, Password: c.password})
		if err != nil || got != c.opens {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
	after, err := w.ws.Head(t.Context())
	w.ok(err)
	if after != before {
		t.Errorf("the head went from %d to %d", before.Number, after.Number)
	}
	w.signIn(tech, "phone-1")
}

func TestConsoleHasNoDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	s, err := w.login(admin, password, "")
	w.ok(err)
	id := w.who(s.Token)
	if s.DeviceID != "" || id.Actor.Device != "" || id.SessionID == "" {
		t.Errorf("console has device %q, actor %+v, session %q", s.DeviceID, id.Actor, id.SessionID)
	}
	second := w.signIn(admin, "")
	w.who(s.Token)
	w.who(second)
}

// Nothing tells an account that exists from one that does not: neither the
// answer, nor the work done for it.
func TestRefusedLoginsAreAllAlike(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                       string
		workspace, email, password string
		hashed                     int64
	}{
		{"wrong password", "demo", "tess@demo.example", "not the password", 1},
		{"unknown account", "demo", "nobody@demo.example", "not the password", 1},
		{"unknown workspace", "nowhere", "tess@demo.example", password, 1},
		{"no workspace's name", "No/../where\x00", "tess@demo.example", password, 1},
		{"no workspace", "", "tess@demo.example", password, 1},
		{"no account", "demo", "", password, 1},
		{"inactive account, right password", "demo", "gus@demo.example", password, 1},
		{"inactive account, wrong password", "demo", "gus@demo.example", "not the password", 1},
		{"account without a password", "demo", "nina@demo.example", password, 1},
		{"empty password", "demo", "tess@demo.example", "", 0},
		{"empty password of nobody", "demo", "nobody@demo.example", "", 0},
		{"huge password", "demo", "tess@demo.example", strings.Repeat("x", 1025), 0},
		{"huge password of nobody", "demo", "nobody@demo.example", strings.Repeat("x", 1025), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Limits{})
			before, err := w.ws.Head(t.Context())
			w.ok(err)
			_, err = w.auth.Login(t.Context(), LoginRequest{Workspace: c.workspace, Email: c.email, Password: c.password})
			w.refused(err, fault.BadCredentials)
			f := fault.Of(err)
			if len(f.Args)+len(f.Fields) > 0 || f.RetryAfter != 0 {
				t.Errorf("the answer tells more: %+v", f)
			}
			if n := w.hashed.Load(); n != c.hashed {
				t.Errorf("%d hashes were computed, want %d", n, c.hashed)
			}
			if after, _ := w.ws.Head(t.Context()); after != before {
				t.Error("a refused sign-in left a commit")
			}
		})
	}
}

func TestSigningInTouchesNoView(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	actor := w.who(w.signIn(admin, "desk")).Actor
	before, err := w.ws.Pull(t.Context(), actor, "", 0)
	w.ok(err)
	for _, body := range before.Put {
		if text := string(body); strings.Contains(text, `"kind":"device"`) || strings.Contains(text, `"kind":"credential"`) {
			t.Errorf("an administrator pulls %s", text)
		}
	}
	w.signIn(admin, "desk")
	w.signIn(tech, "phone")
	w.signIn(office, "")
	after, err := w.ws.Pull(t.Context(), actor, before.Cursor, 0)
	w.ok(err)
	if n := len(after.Put) + len(after.Remove) + len(after.Drop); n != 0 || *after.Digest != *before.Digest {
		t.Errorf("three sign-ins change %d rows, digest %+v to %+v", n, before.Digest, after.Digest)
	}
	for _, key := range []sync.Key{credentialKey(tech), deviceKey("phone")} {
		_, err := w.ws.Get(t.Context(), actor, key)
		w.refused(err, fault.NotFound)
	}
}

func TestTokenIsNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	token := w.signIn(tech, "phone")
	secret := strings.TrimPrefix(token, "demo.")
	w.ok(w.store.Journal(t.Context(), "demo", 1, 0, func(c *sync.Commit) error {
		if strings.Contains(string(c.Encode()), secret) {
			t.Errorf("commit %d holds the token", c.Number)
		}
		if strings.Contains(string(c.Encode()), password) {
			t.Errorf("commit %d holds the password", c.Number)
		}
		return nil
	}))
}

func TestSameDeviceAgainReplacesItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	first, console := w.signIn(tech, "phone"), w.signIn(tech, "")
	stream := w.stream(first)
	second := w.signIn(tech, "phone")
	w.out(first, fault.NotSignedIn)
	w.ends(stream, fault.NotSignedIn)
	w.who(second)
	w.who(console)
}

func TestSignInsOfOneDeviceAtOnceLeaveOneSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	const many = 8
	answers := make(chan error, many)
	tokens := make(chan string, many)
	for range many {
		go func() {
			s, err := w.login(tech, password, "phone")
			if err == nil {
				tokens <- s.Token
			}
			answers <- err
		}()
	}
	for range many {
		w.ok(<-answers)
	}
	valid := 0
	for range many {
		if _, err := w.auth.Identify(t.Context(), <-tokens); err == nil {
			valid++
		} else {
			w.refused(err, fault.NotSignedIn)
		}
	}
	if valid != 1 {
		t.Errorf("%d tokens of one phone are valid", valid)
	}
}

func TestDeviceIsHandedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	before := w.signIn(tech, "phone")
	stream := w.stream(before)
	after := w.signIn(other, "phone")
	w.out(before, fault.NotSignedIn)
	w.ends(stream, fault.NotSignedIn)
	if a := w.who(after).Actor; a.User != other || a.Device != "phone" {
		t.Errorf("the phone is %+v", a)
	}
}

func TestWhatADeviceLeavesOutIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	w.signIn(tech, "phone")
	_, err := w.auth.Login(t.Context(), LoginRequest{
		Workspace: "demo", Email: "theo@demo.example", Password: password, Device: &DeviceInput{ID: "phone", Name: "Theo's"},
	})
	w.ok(err)
	d, err := w.ws.Document(t.Context(), deviceKey("phone"))
	w.ok(err)
	if d.Fields[fieldName] != "Theo's" || d.Fields[fieldPush] != nil || d.Fields[fieldVersion] != nil {
		t.Errorf("the device is %v: it still has what the last one told", d.Fields)
	}
}

func TestDeviceInputIsChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		in    DeviceInput
		field string
	}{
		{"fine", DeviceInput{ID: "A-z_0", Name: "Téléphone d'Éric"}, ""},
		{"no id", DeviceInput{}, "device.id"},
		{"long id", DeviceInput{ID: strings.Repeat("a", 65)}, "device.id"},
		{"path", DeviceInput{ID: "../x"}, "device.id"},
		{"a console's id", DeviceInput{ID: "console-1"}, "device.id"},
		{"long name", DeviceInput{ID: "a", Name: strings.Repeat("é", 201)}, "device.name"},
		{"name of 200", DeviceInput{ID: "a", Name: strings.Repeat("é", 200)}, ""},
		{"line break", DeviceInput{ID: "a", Platform: "and\nroid"}, "device.platform"},
		{"no text", DeviceInput{ID: "a", AppVersion: "\xff"}, "device.appVersion"},
		{"long push token", DeviceInput{ID: "a", PushToken: strings.Repeat("x", 4097)}, "device.pushToken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.in.check()
			if c.field == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if f := fault.Of(err).Fields; !fault.Is(err, fault.InvalidInput) || len(f) != 1 || f[0].Field != c.field {
				t.Errorf("gives %v, want %s refused", err, c.field)
			}
		})
	}
}

func TestFailuresAreLimitedPerAccount(t *testing.T) {
	t.Parallel()
	for _, email := range []string{"tess@demo.example", "nobody@demo.example"} {
		w := newWorld(t, Limits{AccountFailures: 3, Window: 30 * time.Minute})
		try := func(password string) error {
			_, err := w.auth.Login(t.Context(), LoginRequest{Workspace: "demo", Email: email, Password: password})
			return err
		}
		for range 3 {
			w.refused(try("wrong"), fault.BadCredentials)
		}
		err := try(password)
		w.refused(err, fault.TooManyRequests)
		if wait := fault.Of(err).RetryAfter; wait != 10*time.Minute {
			t.Errorf("%s has to wait %v, want 10m", email, wait)
		}
		w.clock.advance(10 * time.Minute)
		if err := try(password); email == "tess@demo.example" && err != nil {
			t.Errorf("after the wait the right password gives %v", err)
		}
	}
}

func TestSuccessClearsTheAccountButNotTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{AccountFailures: 2, AddressFailures: 5})
	wrong := func(id string) error {
		_, err := w.login(id, "wrong", "")
		return err
	}
	for range 2 {
		w.refused(wrong(tech), fault.BadCredentials)
		w.signIn(tech, "")
		w.refused(wrong(tech), fault.BadCredentials)
		w.signIn(tech, "")
	}
	w.refused(wrong(other), fault.BadCredentials)
	w.refused(wrong(office), fault.TooManyRequests)
	_, err := w.auth.Login(t.Context(), LoginRequest{Workspace: "demo", Email: "theo@demo.example", Password: password, Address: "192.0.2.2"})
	w.ok(err)
}

func TestManyAtOnceGetNoMoreTries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{AccountFailures: 5})
	answers := make(chan error)
	for range 40 {
		go func() {
			_, err := w.login(tech, "wrong", "")
			answers <- err
		}()
	}
	tried := 0
	for range 40 {
		if err := <-answers; fault.Is(err, fault.BadCredentials) {
			tried++
		} else {
			w.refused(err, fault.TooManyRequests)
		}
	}
	if tried != 5 || w.hashed.Load() != 5 {
		t.Errorf("%d tries and %d hashes, want 5", tried, w.hashed.Load())
	}
}

func TestFailureOfOursIsNobodysAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{AccountFailures: 1, AddressFailures: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done, err := w.auth.hasher.enter(t.Context())
	w.ok(err)
	second, err := w.auth.hasher.enter(t.Context())
	w.ok(err)
	_, err = w.auth.Login(ctx, LoginRequest{Workspace: "demo", Email: "tess@demo.example", Password: "wrong", Address: "192.0.2.1"})
	if err == nil || fault.Is(err, fault.BadCredentials) {
		t.Errorf("a sign-in whose caller left gives %v", err)
	}
	done()
	second()
	w.signIn(tech, "phone")
}

func TestSessionOpenedUnderAnOldPasswordIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	compare := w.auth.hasher.compare
	w.auth.hasher.compare = func(p, hash string) (bool, error) {
		same, err := compare(p, hash)
		w.ok(w.auth.ResetPassword(t.Context(), w.ws, tech, "quite another password"))
		return same, err
	}
	s, err := w.login(tech, password, "phone")
	w.ok(err)
	w.out(s.Token, fault.NotSignedIn)
}

func TestConsoleSessionsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	phone := w.signIn(tech, "phone")
	first := w.signIn(tech, "")
	w.clock.advance(time.Minute)
	elsewhere := w.signIn(other, "")
	tokens := make([]string, maxConsoles)
	for i := range tokens {
		tokens[i] = w.signIn(tech, "")
		w.clock.advance(time.Second)
	}
	w.out(first, fault.NotSignedIn)
	for _, token := range append(tokens, phone, elsewhere) {
		w.who(token)
	}
	w.clock.advance(200 * 24 * time.Hour)
	last := w.signIn(tech, "")
	w.who(last)
	keys, err := w.ws.Keys(t.Context(), kindDevice)
	w.ok(err)
	if len(keys) != 3 { // the phone, the other's console, and the new one
		t.Errorf("%d sessions are kept after all but one have expired: %v", len(keys), keys)
	}
}

func TestAccountsAreCompanysEmployees(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{})
	_, err := w.ws.Write(t.Context(), sync.System("test"), sync.Write{Mutations: []sync.Mutation{
		{Kind: company.KindEmployee, DocID: tech, Op: sync.Delete},
	}})
	w.ok(err)
	_, err = w.login(tech, password, "")
	w.refused(err, fault.BadCredentials)
}
