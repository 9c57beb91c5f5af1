package auth

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/alexedwards/argon2id"

	"github.com/enroute-field/enroute/internal/fault"
)

// quick are parameters that cost nothing, for tests.
func quick() *argon2id.Params {
	return &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

func TestHashedPasswordIsRecognized(t *testing.T) {
	t.Parallel()
	h := newHasher(quick(), 2, 2)
	hash, err := h.hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"correct horse battery": true, "Correct horse battery": false, "": false} {
		if same, err := h.verify(t.Context(), password, hash); err != nil || same != want {
			t.Errorf("verify %q gives %v, %v", password, same, err)
		}
	}
}

func TestProductionParameters(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	hash, err := s.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(hash, want) {
		t.Errorf("hash %s, want one that starts with %s", hash, want)
	}
	dummy, _, _, err := argon2id.DecodeHash(s.hasher.dummy)
	if err != nil {
		t.Fatal(err)
	}
	if real, _, _, _ := argon2id.DecodeHash(hash); *real != *dummy {
		t.Errorf("the dummy is hashed with %+v, passwords with %+v", *dummy, *real)
	}
}

func TestUnknownHashIsDummyWorkAndNo(t *testing.T) {
	t.Parallel()
	h := newHasher(quick(), 1, 1)
	var compared string
	h.compare = func(_, hash string) (bool, error) { compared = hash; return true, nil }
	same, err := h.verify(t.Context(), "whatever it may be", "")
	if err != nil || same {
		t.Errorf("verify gives %v, %v", same, err)
	}
	if compared != h.dummy {
		t.Errorf("compared with %q, want the dummy", compared)
	}
}

func TestHasherTakesTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(quick(), 2, 1)
		free, running, most := make(chan struct{}), 0, 0
		h.compare = func(_, _ string) (bool, error) {
			running++
			most = max(most, running)
			<-free
			running--
			return true, nil
		}
		verify := func() { _, _ = h.verify(t.Context(), "x", "y") }
		go verify()
		synctest.Wait()
		go verify()
		synctest.Wait()
		go verify()
		synctest.Wait()

		_, err := h.verify(t.Context(), "x", "y")
		if !fault.Is(err, fault.TooManyRequests) || fault.Of(err).RetryAfter <= 0 {
			t.Errorf("one too many waits and gets %v", err)
		}
		for range 3 {
			free <- struct{}{}
			synctest.Wait()
		}
		if most != 2 {
			t.Errorf("%d at once, want 2", most)
		}
		if n := h.waiting.Load(); n != 0 {
			t.Errorf("%d are counted as waiting when nobody is", n)
		}
	})
}

func TestHasherGivesUpWithItsCaller(t *testing.T) {
	t.Parallel()
	h := newHasher(quick(), 1, 1)
	done, err := h.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.verify(ctx, "x", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("verify gives %v, want that its caller left", err)
	}
	done()
	if _, err := h.verify(t.Context(), "x", ""); err != nil {
		t.Errorf("the turn of the one who left is lost: %v", err)
	}
}

func TestNewPassword(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, password string
		code           fault.Code
	}{
		{"eleven", "elevenchars", fault.WeakPassword},
		{"twelve", "twelve chars", ""},
		{"twelve of more than a byte", strings.Repeat("é", 12), ""},
		{"eleven of more than a byte", strings.Repeat("é", 11), fault.WeakPassword},
		{"eleven written as twenty-two", strings.Repeat("e\u0301", 11), fault.WeakPassword},
		{"none", "", fault.WeakPassword},
		{"a kilobyte", strings.Repeat("x", 1024), ""},
		{"more", strings.Repeat("x", 1025), fault.InvalidInput},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := newPassword(c.password)
			if c.code == "" && err != nil || c.code != "" && !fault.Is(err, c.code) {
				t.Errorf("gives %v, want %q", err, c.code)
			}
		})
	}
}

func TestPasswordIsTheSameOnEveryKeyboard(t *testing.T) {
	t.Parallel()
	composed, ok1 := normalize("été à Québec")
	decomposed, ok2 := normalize("e\u0301te\u0301 a\u0300 Que\u0301bec")
	if !ok1 || !ok2 || composed != decomposed {
		t.Errorf("%q and %q differ", composed, decomposed)
	}
}
