package cluster_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/enroute-field/enroute/cluster"
	"github.com/enroute-field/enroute/cluster/ledgertest"
)

func TestOneNodeServesAWorkspace(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.join("http://a"), w.join("http://b")
		a.locates("w1", "")
		b.locates("w1", "http://a")
		b.locates("w2", "")
		a.locates("w2", "http://b")
		pass(10 * term)
		a.locates("w1", "")
		b.locates("w1", "http://a")
		if lost := a.noted(&a.lost); len(lost) > 0 {
			w.Errorf("lost %v", lost)
		}
		if s := a.Stats(); s != (cluster.Stats{Seats: 1, Nodes: 2}) {
			w.Errorf("figures %+v", s)
		}
		if a.Key() != b.Key() || a.Key() == "" {
			w.Error("the nodes share no key")
		}
	})
}

// A node that dies is replaced within the term: for whoever asks, and without
// anybody asking.
func TestDeadNodeIsReplacedWithinATerm(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.join("http://a"), w.join("http://b")
		for _, name := range workspaces(20) {
			a.locates(name, "")
		}
		b.locates("w0", "http://a")
		a.lastBeat()
		a.die()
		died := time.Now()
		pass(term / 2)
		b.locates("w0", "http://a") // it might live
		for len(b.noted(&b.taken)) < 20 {
			pass(term / 100)
			if took := time.Since(died); took > term {
				w.Fatalf("after %s only %v were taken over", took, b.noted(&b.taken))
			}
		}
		b.locates("w0", "")
		pass(0)
		a.holds(false, "w0", "the dead")
	})
}

func TestLeavingHandsOverAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b, c := w.admit("http://a"), w.join("http://b"), w.join("http://c")
		for _, name := range workspaces(9) {
			a.locates(name, "")
		}
		b.locates("w0", "http://a")
		if err := a.Leave(w.Context()); err != nil {
			w.Fatal(err)
		}
		left := time.Now()
		a.holds(false, "w0", "after leaving")
		if _, err := a.Locate(w.Context(), "w0"); !errors.Is(err, cluster.ErrLeft) {
			w.Errorf("a node that left locates: %v", err)
		}
		b.Mislaid("w0", "http://a") // it refuses connections
		b.locates("w0", "")
		c.locates("w0", "http://b")
		if took := time.Since(left); took != 0 {
			w.Errorf("it took %s", took)
		}
		pass(term / 4)
		if got := len(b.noted(&b.taken)) + len(c.noted(&c.taken)); got != 8 {
			w.Errorf("the others took over %d", got)
		}
		if err := a.Leave(w.Context()); err != nil {
			w.Error(err)
		}
		if lost := a.noted(&a.lost); len(lost) > 0 {
			w.Errorf("who leaves knows what it gives up, and was told %v", lost)
		}
	})
}

// Survivors share what a dead node leaves, and no seat is left over.
func TestSurvivorsShare(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b, c := w.join("http://a"), w.join("http://b"), w.join("http://c")
		tool := w.join("", func(o *cluster.Options) { o.Taken = nil })
		names := workspaces(100)
		for _, name := range names {
			a.locates(name, "")
		}
		a.die()
		pass(term)
		gotB, gotC := b.noted(&b.taken), c.noted(&c.taken)
		if len(gotB) < 25 || len(gotC) < 25 {
			w.Errorf("shares of %d and %d", len(gotB), len(gotC))
		}
		all := slices.Concat(gotB, gotC)
		slices.Sort(all)
		slices.Sort(names)
		if !slices.Equal(all, names) {
			w.Errorf("taken over: %v", all)
		}
		for _, name := range names {
			if b.Held(name) == c.Held(name) {
				w.Errorf("%s is held by both or none", name)
			}
		}
		if n := tool.Stats().Seats; n > 0 {
			w.Errorf("a tool took %d", n)
		}
	})
}

// An heir that does not take its share (it is a moment slower, or dying) does
// not leave the seats empty.
func TestWhatTheHeirLeavesIsTaken(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b, c := w.join("http://a"), w.join("http://b"), w.join("http://c")
		for _, name := range workspaces(20) {
			a.locates(name, "")
		}
		c.link.Trouble(func(call string) ledgertest.Trouble { return ledgertest.Trouble{Refused: call == "Seats"} })
		a.die()
		pass(term)
		if got := b.noted(&b.taken); len(got) != 20 {
			w.Errorf("the other took over %d", len(got))
		}
	})
}

// A seat that somebody overwrites is noticed with the next beat.
func TestStolenSeat(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.join("http://a")
		a.locates("w1", "")
		a.locates("w2", "")
		pass(term) // it has looked for dead nodes' seats, and will not for a while
		seat, _ := w.ledger.Seat(w.Context(), "w1")
		if done, _ := w.ledger.Swap(w.Context(), seat, cluster.Seat{Workspace: "w1", Node: "thief", Turn: seat.Turn + 1}); !done {
			w.Fatal("not stolen")
		}
		pass(term/5 + time.Millisecond)
		a.holds(false, "w1", "stolen")
		a.holds(true, "w2", "not stolen")
		if lost := a.noted(&a.lost); !slices.Equal(lost, []string{"w1"}) {
			w.Errorf("lost %v", lost)
		}
		tenure := seat.Turn
		a.locates("w1", "") // the thief is no node
		if a.Tenure("w1") <= tenure+1 {
			w.Errorf("the turn is %d, after the thief's %d", a.Tenure("w1"), tenure+1)
		}
	})
}

// Who has reason to doubt asks the ledger, and need not wait for the next beat.
func TestConfirm(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.join("http://a")
		a.locates("w1", "")
		pass(term)
		if turn, err := a.Confirm(w.Context(), "w1"); err != nil || turn != a.Tenure("w1") {
			w.Errorf("turn %d, %v", turn, err)
		}
		if turn, err := a.Confirm(w.Context(), "w2"); err != nil || turn != 0 {
			w.Errorf("turn %d, %v, of what it does not hold", turn, err)
		}
		seat, _ := w.ledger.Seat(w.Context(), "w1")
		_, _ = w.ledger.Swap(w.Context(), seat, cluster.Seat{Workspace: "w1", Node: "thief", Turn: seat.Turn + 1})
		if turn, err := a.Confirm(w.Context(), "w1"); err != nil || turn != 0 || a.Held("w1") {
			w.Errorf("turn %d, %v, of what was stolen", turn, err)
		}
		a.locates("w1", "")
		a.link.Cut()
		if turn, err := a.Confirm(w.Context(), "w1"); err == nil {
			w.Errorf("turn %d without a ledger", turn)
		}
	})
}

// Seats whose node nobody knows, as after a restore of the database, are taken.
func TestForgottenSeats(t *testing.T) {
	inWorld(t, func(w *world) {
		_, _ = w.ledger.Swap(w.Context(), cluster.Seat{Workspace: "w1"}, cluster.Seat{Workspace: "w1", Node: "of old", Turn: 1})
		a := w.join("http://a")
		pass(term / 5)
		a.holds(true, "w1", "found at the start")
		_, _ = w.ledger.Swap(w.Context(), cluster.Seat{Workspace: "w2"}, cluster.Seat{Workspace: "w2", Node: "of old", Turn: 1})
		pass(4 * term)
		a.holds(true, "w2", "found later")
		if taken := a.noted(&a.taken); !slices.Equal(taken, []string{"w1", "w2"}) {
			w.Errorf("taken over: %v", taken)
		}
	})
}

// A node taken for dead loses everything and is another node from then on.
func TestBuriedNodeJoinsAnew(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.join("http://a"), w.join("http://b")
		a.locates("w1", "")
		name := a.Name()
		a.die()
		pass(2 * term)
		b.locates("w1", "")
		a.link.Trouble(nil)
		pass(term / 4)
		if lost := a.noted(&a.lost); !slices.Equal(lost, []string{"w1"}) {
			w.Errorf("lost %v", lost)
		}
		if a.Name() == name || a.Name() == "" {
			w.Errorf("the node is called %q, before %q", a.Name(), name)
		}
		a.locates("w1", "http://b")
		a.locates("w2", "")
		b.locates("w2", "http://a")
		if s := b.Stats(); s.Nodes != 2 {
			w.Errorf("%d nodes", s.Nodes)
		}
	})
}

// Made-up names of workspaces leave nothing behind; who makes a workspace
// claims it first.
func TestMadeUpNamesLeaveNoSeats(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.join("http://a", func(o *cluster.Options) {
			o.Exists = func(_ context.Context, workspace string) (bool, error) { return workspace == "real", nil }
		})
		b := w.join("http://b")
		if address, err := a.Locate(w.Context(), "made-up"); err != nil || address != "" {
			w.Errorf("located at %q, %v", address, err)
		}
		if seat, _ := w.ledger.Seat(w.Context(), "made-up"); seat.Turn != 0 || a.Held("made-up") {
			w.Errorf("a seat was made: %v", seat)
		}
		a.locates("real", "")
		if address, err := a.Claim(w.Context(), "new"); err != nil || address != "" || !a.Held("new") {
			w.Errorf("claimed: %q, %v", address, err)
		}
		if address, err := b.Claim(w.Context(), "new"); err != nil || address != "http://a" {
			w.Errorf("the second to claim it: %q, %v", address, err)
		}
	})
}

// A tool holds a workspace without serving it.
func TestToolsAreInTheWay(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.join("http://a")
		tool := w.admit("")
		tool.locates("w1", "")
		if _, err := a.Locate(w.Context(), "w1"); !errors.Is(err, cluster.ErrAway) {
			w.Errorf("located: %v", err)
		}
		if err := tool.Leave(w.Context()); err != nil {
			w.Fatal(err)
		}
		a.locates("w1", "")
	})
}

// A node that was killed and is there again at once does not send requests to
// the address that was, and is, its own.
func TestRestartAfterAKill(t *testing.T) {
	inWorld(t, func(w *world) {
		before := w.join("http://a")
		before.locates("w1", "")
		before.die()
		again := w.join("http://a")
		if address, err := again.Locate(w.Context(), "w1"); !errors.Is(err, cluster.ErrAway) {
			w.Errorf("located at %q, %v", address, err)
		}
		pass(term)
		again.locates("w1", "")
	})
}

// Nodes that are told different terms, as while a setting is rolled out, keep
// to each other's.
func TestDifferentTerms(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.join("http://a")
		b := w.join("http://b", func(o *cluster.Options) { o.Term = term / 10 })
		a.locates("w1", "")
		b.locates("w2", "")
		for range 500 {
			pass(term / 100)
			a.holds(true, "w1", "a slow one beside a quick one")
			b.holds(true, "w2", "a quick one beside a slow one")
		}
		b.die()
		pass(term * 3 / 10) // its term, and the slow one's looking
		a.locates("w2", "")
	})
}

func TestRelease(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.join("http://a"), w.join("http://b")
		a.locates("w1", "")
		b.locates("w1", "http://a")
		if err := a.Release(w.Context(), "w1"); err != nil {
			w.Fatal(err)
		}
		a.holds(false, "w1", "released")
		if lost := a.noted(&a.lost); !slices.Equal(lost, []string{"w1"}) {
			w.Errorf("lost %v", lost)
		}
		if seat, _ := w.ledger.Seat(w.Context(), "w1"); seat.Turn != 2 {
			w.Errorf("the seat is %v", seat)
		}
		b.Mislaid("w1", "http://a")
		b.locates("w1", "")
		if err := a.Release(w.Context(), "w1"); err != nil {
			w.Errorf("of what it does not hold: %v", err)
		}
		pass(term)
		b.holds(true, "w1", "released by another")
		if err := b.Release(w.Context(), "w1"); err != nil {
			w.Fatal(err)
		}
		pass(4 * term)
		if taken := a.noted(&a.taken); len(taken) > 0 {
			w.Errorf("an idle workspace was taken up: %v", taken)
		}
	})
}

// What is lost or given away is not held any more when it is told.
func TestLostIsToldAfterHolding(t *testing.T) {
	inWorld(t, func(w *world) {
		var a *node
		held := make(chan bool, 1)
		a = w.join("http://a", func(o *cluster.Options) {
			o.Lost = func(context.Context, string) {
				seat, _ := w.ledger.Seat(w.Context(), "w1")
				held <- a.Held("w1") || seat.Node == ""
			}
		})
		a.locates("w1", "")
		if err := a.Release(w.Context(), "w1"); err != nil {
			w.Fatal(err)
		}
		if <-held {
			w.Error("it was told while it was held, or when others could have it already")
		}
	})
}

// A release whose answer is lost, and whose effect comes late, does not touch
// what was taken again since.
func TestLateReleaseDoesNoHarm(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.join("http://a"), w.join("http://b")
		a.locates("w1", "")
		a.link.Trouble(func(call string) ledgertest.Trouble {
			if call == "Swap" {
				return ledgertest.Trouble{Before: 3 * term}
			}
			return ledgertest.Trouble{}
		})
		if err := a.Release(w.Context(), "w1"); err == nil {
			w.Fatal("released")
		}
		a.link.Trouble(nil)
		a.locates("w1", "")
		tenure := a.Tenure("w1")
		pass(4 * term)
		a.holds(true, "w1", "after the late release")
		b.locates("w1", "http://a")
		if a.Tenure("w1") != tenure {
			w.Errorf("the tenure was %d and is %d", tenure, a.Tenure("w1"))
		}
	})
}

// A seat whose taking was not answered is this node's, and it finds that out.
func TestUnansweredTaking(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.join("http://a")
		a.link.Trouble(func(call string) ledgertest.Trouble { return ledgertest.Trouble{Unanswered: call == "Swap"} })
		if _, err := a.Locate(w.Context(), "w1"); err == nil {
			w.Fatal("located")
		}
		a.holds(false, "w1", "unanswered")
		a.link.Trouble(nil)
		pass(term / 4)
		a.holds(true, "w1", "found among its own")
		if taken := a.noted(&a.taken); !slices.Equal(taken, []string{"w1"}) {
			w.Errorf("taken up: %v", taken)
		}
	})
}

func TestLeaveWithoutALedger(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.admit("http://a"), w.join("http://b")
		a.locates("w1", "")
		a.link.Trouble(func(string) ledgertest.Trouble { return ledgertest.Trouble{Before: time.Hour} })
		ctx, cancel := context.WithTimeout(w.Context(), term/10)
		defer cancel()
		begun := time.Now()
		if err := a.Leave(ctx); err == nil || time.Since(begun) > term/10 {
			w.Errorf("left after %s: %v", time.Since(begun), err)
		}
		a.holds(false, "w1", "left")
		pass(term)
		b.locates("w1", "")
		a.link.Wait()
		synctest.Wait()
	})
}
