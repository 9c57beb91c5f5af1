package cluster_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/enroute-field/enroute/cluster"
	"github.com/enroute-field/enroute/cluster/ledgertest"
)

// Without its ledger a node believes for three fifths of the term from its
// last beat, no longer, and again as soon as the ledger is back.
func TestLedgerAwayForAWhile(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.join("http://a")
		a.locates("w1", "")
		name, tenure := a.Name(), a.Tenure("w1")
		last := a.lastBeat()
		a.link.Cut()
		for time.Since(last) < term*3/5-time.Millisecond {
			a.holds(true, "w1", time.Since(last).String())
			pass(time.Millisecond)
		}
		pass(2 * time.Millisecond)
		a.holds(false, "w1", "after three fifths")
		if _, err := a.Locate(w.Context(), "w1"); err == nil {
			w.Error("located without a ledger")
		}
		pass(3 * term)
		a.holds(false, "w1", "later")
		if a.Stats().FailedBeats < 10 {
			w.Errorf("figures %+v", a.Stats())
		}
		a.link.Trouble(nil)
		pass(term / 5)
		a.holds(true, "w1", "the ledger is back, and nobody has taken it")
		if a.Name() != name || a.Tenure("w1") != tenure {
			w.Errorf("now %s in its turn %d, before %s and %d", a.Name(), a.Tenure("w1"), name, tenure)
		}
		if lost := a.noted(&a.lost); len(lost) > 0 {
			w.Errorf("lost %v", lost)
		}
	})
}

// A beat that takes long counts from its start.
func TestSlowBeatCountsFromItsStart(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.join("http://a")
		a.locates("w1", "")
		a.lastBeat()
		const slow = term / 10 // the next beat is later
		a.link.Trouble(func(call string) ledgertest.Trouble {
			if call == "Beat" {
				return ledgertest.Trouble{After: slow}
			}
			return ledgertest.Trouble{}
		})
		start := a.lastBeat()
		pass(slow + time.Millisecond)
		a.link.Cut() // that was the last
		pass(time.Until(start.Add(term*3/5 - 10*time.Millisecond)))
		a.holds(true, "w1", "before three fifths from the start of the last beat")
		pass(20 * time.Millisecond)
		a.holds(false, "w1", "after three fifths from the start of the last beat")
	})
}

// Beats that are slow all the time, but succeed, keep the node alive.
func TestSlowLedger(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.join("http://a"), w.join("http://b")
		a.locates("w1", "")
		for _, n := range []*node{a, b} {
			n.link.Trouble(func(string) ledgertest.Trouble {
				return ledgertest.Trouble{Before: term / 10, After: term / 10}
			})
		}
		for range 1000 {
			pass(term / 50)
			a.holds(true, "w1", "at a slow ledger")
		}
	})
}

// A beat whose answer is lost, or whose effect comes after its time, neither
// makes the node another one nor lets it believe for longer.
func TestUnansweredBeats(t *testing.T) {
	for name, trouble := range map[string]ledgertest.Trouble{
		"unanswered": {Unanswered: true},
		"late":       {Before: term / 3},
		"very late":  {Before: 3 * term},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.join("http://a")
				a.locates("w1", "")
				id := a.Name()
				beats := 0
				a.link.Trouble(func(call string) ledgertest.Trouble {
					if call == "Beat" {
						beats++
					}
					if call == "Beat" && beats%2 == 0 {
						return trouble
					}
					return ledgertest.Trouble{}
				})
				for range 1000 {
					pass(term / 50)
					a.holds(true, "w1", "every second beat succeeds")
				}
				if a.Name() != id || len(a.noted(&a.lost)) > 0 {
					w.Errorf("the node is %s, was %s, and lost %v", a.Name(), id, a.noted(&a.lost))
				}
				last := a.lastBeat()
				a.link.Trouble(func(string) ledgertest.Trouble { return ledgertest.Trouble{Unanswered: true} })
				pass(time.Until(last.Add(term*3/5 + time.Millisecond)))
				a.holds(false, "w1", "no beat was answered any more")
				pass(10 * term)
				a.link.Trouble(nil)
				pass(term / 5)
				a.holds(true, "w1", "beats are answered again")
				if a.Name() != id {
					w.Error("it joined anew, though it was never buried")
				}
			})
		})
	}
}

// A frozen node does not believe when it wakes, and loses what others took.
func TestFrozenNode(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.join("http://a"), w.join("http://b")
		a.locates("w1", "")
		a.locates("w2", "")
		thaw := a.link.Freeze()
		pass(term)
		b.locates("w1", "")
		pass(2 * term)
		thaw()
		a.holds(false, "w1", "awake")
		a.holds(false, "w2", "awake")
		pass(term / 2)
		a.locates("w1", "http://b")
		b.holds(true, "w1", "at the other")
		if lost := a.noted(&a.lost); len(lost) != 2 {
			w.Errorf("lost %v", lost)
		}
	})
}

// A node whose machine slept, so that its steady clock stood still, sees by
// the clock on the wall that time has passed. One that was only set back or
// forth believes again after the next beat.
func TestSleepingMachine(t *testing.T) {
	inWorld(t, func(w *world) {
		var slept, set atomic.Int64
		steady := func() time.Time { return time.Now().Add(-time.Duration(slept.Load())) }
		wall := func() time.Time { return time.Now().Add(time.Duration(set.Load())) }
		a := w.join("http://a", func(o *cluster.Options) { o.SetClock(steady, wall) })
		a.locates("w1", "")
		thaw := a.link.Freeze()
		pass(2 * term)
		slept.Store(int64(2 * term))
		a.holds(false, "w1", "the machine wakes")
		thaw()
		pass(term / 2)
		a.locates("w1", "")
		for _, by := range []time.Duration{-time.Hour, time.Hour} {
			set.Store(int64(by))
			pass(term / 4)
			a.holds(true, "w1", "some beats after the clock was set")
		}
		if len(a.noted(&a.lost)) > 0 {
			w.Errorf("lost %v", a.noted(&a.lost))
		}
	})
}

// A rival counts from when it saw a beat; one that stood still itself sees
// first what has changed since.
func TestFrozenRival(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.join("http://a"), w.join("http://b")
		a.locates("w1", "")
		thaw := b.link.Freeze()
		pass(5 * term)
		thaw()
		for range 100 {
			pass(term / 50)
			a.holds(true, "w1", "a rival woke")
		}
	})
}

// When the ledger is away for everybody, as while its servers elect a primary,
// nobody is taken for dead: all is as before when it is back. Who died
// meanwhile is replaced within a term from then.
func TestLedgerAwayForAll(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b, dead := w.join("http://a"), w.join("http://b"), w.join("http://c")
		a.locates("w1", "")
		b.locates("w2", "")
		dead.locates("w3", "")
		for range 5 {
			for _, n := range []*node{a, b, dead} {
				n.link.Cut()
			}
			pass(term * 6 / 5)
			a.link.Trouble(nil) // one is a little sooner
			pass(term / 4)
			b.link.Trouble(nil)
			pass(term / 2)
			a.holds(true, "w1", "the ledger is back")
			b.holds(true, "w2", "the ledger is back")
		}
		pass(term / 2)
		if !a.Held("w3") && !b.Held("w3") {
			w.Error("the dead node was not replaced")
		}
		for _, n := range []*node{a, b} {
			if lost := n.noted(&n.lost); len(lost) > 0 {
				w.Errorf("lost %v", lost)
			}
		}
	})
}
