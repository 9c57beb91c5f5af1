package auth

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLimiterLetsABurstThroughAndThenOneAtATime(t *testing.T) {
	t.Parallel()
	l := newLimiter(3, 30*time.Second, 10)
	key, now := accountKey("demo", "a@x"), time.Unix(1000, 0)
	for i := range 3 {
		if wait := l.take(key, now); wait != 0 {
			t.Fatalf("failure %d has to wait %v", i+1, wait)
		}
	}
	wait := l.take(key, now)
	if wait != 10*time.Second {
		t.Fatalf("the fourth has to wait %v, want 10s", wait)
	}
	if w := l.take(accountKey("demo", "b@x"), now); w != 0 {
		t.Errorf("another account has to wait %v", w)
	}
	now = now.Add(wait)
	if w := l.take(key, now); w != 0 {
		t.Errorf("after the wait it has to wait %v more", w)
	}
	if l.take(key, now) == 0 {
		t.Error("two go through where one failure was forgotten")
	}
}

// Whatever is tried when, no more than a burst and what was forgotten in the
// meantime goes through, and whoever waits as told is let in.
func TestLimiterBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		burst := rapid.IntRange(1, 8).Draw(t, "burst")
		window := time.Duration(rapid.IntRange(burst, 1000).Draw(t, "seconds")) * time.Second
		l := newLimiter(burst, window, 4)
		key, start := limiterKey{1}, time.Unix(0, 0)
		now, counted := start, 0
		for range rapid.IntRange(1, 60).Draw(t, "tries") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "pause")) * time.Second)
			wait := l.take(key, now)
			if wait == 0 {
				counted++
			} else if w := l.take(key, now.Add(wait)); w != 0 {
				t.Fatalf("told to wait %v, then %v more", wait, w)
			} else {
				now, counted = now.Add(wait), counted+1
			}
			if most := burst + int(now.Sub(start)/l.interval); counted > most {
				t.Fatalf("%d went through in %v, at most %d should", counted, now.Sub(start), most)
			}
		}
	})
}

func TestAttemptCountsNothingWhereOneLimitIsReached(t *testing.T) {
	t.Parallel()
	accounts, addresses := newLimiter(2, time.Minute, 10), newLimiter(1, time.Minute, 10)
	now := time.Unix(0, 0)
	try := func(account, address byte) attempt {
		return attempt{
			{limiter: accounts, key: limiterKey{account}, clears: true},
			{limiter: addresses, key: limiterKey{address}},
		}
	}
	if try(1, 1).take(now) != 0 {
		t.Fatal("the first attempt is refused")
	}
	for range 5 {
		if try(1, 1).take(now) == 0 {
			t.Fatal("the address may try again")
		}
	}
	if try(1, 2).take(now) != 0 {
		t.Error("attempts that were refused count against the account")
	}
	if try(1, 3).take(now) == 0 {
		t.Error("the account may fail three times")
	}
	try(1, 2).succeed()
	if try(1, 2).take(now) != 0 {
		t.Error("a success does not clear what it should")
	}
}

func TestLimiterRemembersABoundedNumber(t *testing.T) {
	t.Parallel()
	l := newLimiter(1, time.Hour, 100)
	for i := range 10_000 {
		l.take(accountKey("demo", fmt.Sprint(i)), time.Unix(0, 0))
	}
	if n := len(l.full.byKey); n != 100 {
		t.Errorf("remembers %d, want 100", n)
	}
	if n := l.full.order.Len(); n != 100 {
		t.Errorf("its order has %d, want 100", n)
	}
}

func TestKeysOfLimits(t *testing.T) {
	t.Parallel()
	if accountKey("Demo", " A@x ") != accountKey("demo", "a@x") {
		t.Error("another spelling of the same account has a count of its own")
	}
	if accountKey("demoa", "@x") == accountKey("demo", "a@x") {
		t.Error("two accounts share a count")
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff::9", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"", "", true},
		{"unix", "", false},
	} {
		if same := addressKey(c.a) == addressKey(c.b); same != c.same {
			t.Errorf("%q and %q share a count: %v, want %v", c.a, c.b, same, c.same)
		}
	}
}
