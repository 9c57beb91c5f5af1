package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"golang.org/x/sync/semaphore"
	"golang.org/x/text/unicode/norm"

	"github.com/enroute-field/enroute/internal/fault"
)

const (
	minPassword      = 12      // characters
	maxPasswordBytes = 1 << 10 // as sent
	queueRetry       = 2 * time.Second
	argonVersion     = 0x13 // RFC 9106 section 3.1
)

// hasher makes and checks password hashes, a few at a time: each takes its
// share of memory and of a core, and strangers may ask for it.
type hasher struct {
	params  *argon2id.Params
	slots   *semaphore.Weighted
	queue   int64 // how many may be in the works or waiting
	waiting atomic.Int64
	dummy   string
	compare func(password, hash string) (bool, error)
}

func newHasher(params *argon2id.Params, atOnce, waiting int) *hasher {
	return &hasher{
		params: params, slots: semaphore.NewWeighted(int64(atOnce)), queue: int64(atOnce + waiting),
		dummy: dummyHash(params), compare: argon2id.ComparePasswordAndHash,
	}
}

// hash of a new password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	out, err := argon2id.CreateHash(password, h.params)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return out, nil
}

// verify says whether the password has this hash. Without a hash it does the
// same work against a dummy and says no, so that the time taken does not tell
// which accounts exist.
func (h *hasher) verify(ctx context.Context, password, hash string) (bool, error) {
	done, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	known := hash != ""
	if !known {
		hash = h.dummy
	}
	same, err := h.compare(password, hash)
	if err != nil {
		return false, fmt.Errorf("compare with password hash: %w", err)
	}
	return same && known, nil
}

// enter waits for a turn; where too many wait already it is
// fault.TooManyRequests at once.
func (h *hasher) enter(ctx context.Context) (done func(), err error) {
	if h.waiting.Add(1) > h.queue {
		h.waiting.Add(-1)
		return nil, fault.New(fault.TooManyRequests).After(queueRetry)
	}
	if err := h.slots.Acquire(ctx, 1); err != nil {
		h.waiting.Add(-1)
		return nil, fmt.Errorf("wait to hash a password: %w", err)
	}
	return func() {
		h.slots.Release(1)
		h.waiting.Add(-1)
	}, nil
}

// dummyHash looks like a hash made with these params; no password has it.
func dummyHash(p *argon2id.Params) string {
	random := make([]byte, p.SaltLength+p.KeyLength)
	_, _ = rand.Read(random) // never fails
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argonVersion, p.Memory, p.Iterations, p.Parallelism,
		enc.EncodeToString(random[:p.SaltLength]), enc.EncodeToString(random[p.SaltLength:]))
}

// normalize gives the form of a password that is hashed (NFC, RFC 8265
// section 4.2), so that é is é on every keyboard. One that nobody can have is
// not ok.
func normalize(password string) (string, bool) {
	if password == "" || len(password) > maxPasswordBytes {
		return "", false
	}
	return norm.NFC.String(password), true
}

// newPassword checks and normalizes a password somebody chose.
func newPassword(password string) (string, error) {
	if len(password) > maxPasswordBytes {
		return "", fault.Invalid(fault.At("password", fault.TooLong, "max", "1024"))
	}
	p := norm.NFC.String(password)
	if utf8.RuneCountInString(p) < minPassword {
		return "", fault.New(fault.WeakPassword, "min", fmt.Sprint(minPassword))
	}
	return p, nil
}
