package auth

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"

	"github.com/enroute-field/enroute/company"
)

// limiterKey stands for an account or an address: a hash, so that what
// strangers send takes no more room than that.
type limiterKey [sha256.Size]byte

// limiter allows each key a burst of failures, and one more as time passes
// for each: the generic cell rate algorithm, which remembers one time per key.
type limiter struct {
	interval time.Duration // after which one failure is forgotten
	capacity time.Duration // of a whole burst

	mu   sync.Mutex
	full *recent[limiterKey, time.Time] // when all of the key's failures are forgotten
}

func newLimiter(burst int, window time.Duration, tracked int) *limiter {
	interval := window / time.Duration(burst)
	return &limiter{
		interval: interval, capacity: interval * time.Duration(burst),
		full: newRecent[limiterKey, time.Time](tracked),
	}
}

// take counts an attempt as failed until give or reset says otherwise, so that
// many at once get no more tries than one after another. If there have been
// too many it counts nothing and says how long to wait.
func (l *limiter) take(key limiterKey, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, _ := l.full.get(key)
	if at.Before(now) {
		at = now
	}
	at = at.Add(l.interval)
	if wait := at.Sub(now) - l.capacity; wait > 0 {
		return wait
	}
	l.full.put(key, at)
	return 0
}

// give takes back one attempt, which did not fail.
func (l *limiter) give(key limiterKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.full.get(key); ok {
		l.full.put(key, at.Add(-l.interval))
	}
}

// reset forgets the key's failures.
func (l *limiter) reset(key limiterKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full.drop(key)
}

// accountKey stands for an account, whether it exists or not.
func accountKey(workspace, email string) limiterKey {
	return sha256.Sum256([]byte(company.FoldEmail(workspace) + "\x00" + company.FoldEmail(email)))
}

// addressKey stands for where an attempt came from. All addresses of an IPv6
// /64 are one: a single customer has them all.
func addressKey(address string) limiterKey {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return sha256.Sum256([]byte(address))
	}
	bits := 64
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		bits = 32
	}
	prefix, _ := ip.Prefix(bits) // never fails: bits fit
	return sha256.Sum256([]byte(prefix.String()))
}

// tally is one count that an attempt falls under.
type tally struct {
	limiter *limiter
	key     limiterKey
	clears  bool // a success forgets the failures before
}

// attempt is a try that counts as failed until it is settled.
type attempt []tally

// take counts the attempt everywhere or, if one of the limits is reached,
// nowhere, and says how long to wait.
func (a attempt) take(now time.Time) (wait time.Duration) {
	for i, t := range a {
		if wait := t.limiter.take(t.key, now); wait > 0 {
			a[:i].give()
			return wait
		}
	}
	return 0
}

// give takes the attempt back: it came to no result.
func (a attempt) give() {
	for _, t := range a {
		t.limiter.give(t.key)
	}
}

// succeed takes the attempt back, and what it clears.
func (a attempt) succeed() {
	for _, t := range a {
		if t.clears {
			t.limiter.reset(t.key)
		} else {
			t.limiter.give(t.key)
		}
	}
}
