package mongo

import (
	"context"
	"errors"
	"fmt"
	stdsync "sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/store/faultnet"
	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/sync"
)

// answers are what writers were told of their commits.
type answers struct {
	mu       stdsync.Mutex
	accepted map[sync.Hash]bool // or refused
}

func (l *answers) note(c *sync.Commit, accepted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted[c.Hash] = accepted
}

// isJournal checks that the journal is what the writers were told: each
// accepted commit once, no refused one, and no other.
func (l *answers) isJournal(t *testing.T, s *Store) {
	t.Helper()
	there := map[sync.Hash]bool{}
	for _, h := range hashes(t, s, "w") {
		if there[h] || !l.accepted[h] {
			t.Errorf("a commit is there twice, or was refused")
		}
		there[h] = true
	}
	for h, accepted := range l.accepted {
		if accepted && !there[h] {
			t.Error("an acknowledged commit is not there")
		}
	}
}

// write appends n commits, each at the head as it finds it.
func (l *answers) write(ctx context.Context, s *Store, n int) error {
	for n > 0 {
		head, err := s.Head(ctx, "w")
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			continue // as whoever comes again later
		}
		c := after(head)
		err = settle(ctx, s, "w", c)
		if err != nil && !errors.Is(err, sync.ErrConflict) {
			return err
		}
		l.note(c, err == nil)
		if err == nil {
			n--
		}
	}
	return nil
}

func TestRivalsOfTwoProcesses(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	stores := []*Store{opened(t, uri), opened(t, uri)}
	l := answers{accepted: map[sync.Hash]bool{}}
	var g errgroup.Group
	for i := range 8 {
		g.Go(func() error { return l.write(t.Context(), stores[i%2], 8) })
	}
	must(t, g.Wait())
	l.isJournal(t, stores[0])
	if got := hashes(t, stores[1], "w"); len(got) != 64 {
		t.Errorf("there are %d commits", len(got))
	}
}

// TestConnectionsCut lets rivals write while their connections are reset at
// any moment, before or after what was sent has arrived.
func TestConnectionsCut(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	proxy := faultnet.New(t, 1, mongotest.Primary(t))
	bad := mongotest.Through(uri, proxy.Address())
	stores := []*Store{opened(t, bad), opened(t, bad)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	proxy.Set(faultnet.Trouble{Cut: 0.05})
	l := answers{accepted: map[sync.Hash]bool{}}
	var g errgroup.Group
	for i := range 4 {
		g.Go(func() error { return l.write(ctx, stores[i%2], 5) })
	}
	must(t, g.Wait())
	proxy.Heal()
	l.isJournal(t, opened(t, uri))
	if cut := proxy.Tally().Cut; cut == 0 {
		t.Error("no connection was cut")
	}
}

// TestSameAppendOfTwo: the same commits come by two ways, as after a network
// that has kept the first back. That the place is taken is no conflict.
func TestSameAppendOfTwo(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	first, second := opened(t, uri), opened(t, uri)
	head, commits := add(t, first, "w", sync.Head{}, 1)
	same := follow(head, 2)
	must(t, second.Append(t.Context(), "w", same))
	must(t, first.Append(t.Context(), "w", same))
	isJournal(t, first, "w", append(commits, same...)...)
}

// TestStaleWriter: who believes in a head of the past gets a conflict,
// wherever others have gone on from there.
func TestStaleWriter(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	slow, quick := opened(t, uri), opened(t, uri)
	head, commits := add(t, slow, "w", sync.Head{}, 3)
	late := after(head)
	more := follow(head, 3)
	must(t, quick.Append(t.Context(), "w", more))
	conflicts(t, "an append at a head of the past", slow.Append(t.Context(), "w", []*sync.Commit{late}))
	conflicts(t, "an append inside a segment", slow.Append(t.Context(), "w", []*sync.Commit{after(headOf(more[1]))}))
	must(t, slow.Append(t.Context(), "w", more[1:2])) // a part of a segment stands
	must(t, slow.Append(t.Context(), "w", append(commits[1:3:3], more[0])))
	conflicts(t, "what stands and one more", slow.Append(t.Context(), "w", append(more[2:3:3], after(headOf(more[2])))))
	last := after(headOf(more[2]))
	must(t, slow.Append(t.Context(), "w", []*sync.Commit{last}))
	isJournal(t, quick, "w", append(append(commits, more...), last)...)
}

// TestOutcomeUnknown cuts a writer off with its append on the way.
func TestOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trouble faultnet.Trouble
		rival   bool // another writes before the append can arrive
	}{
		"answer lost":            {trouble: faultnet.Trouble{Answers: faultnet.Lose}},
		"answer late":            {trouble: faultnet.Trouble{Answers: faultnet.Hold}},
		"request lost":           {trouble: faultnet.Trouble{Requests: faultnet.Lose}},
		"request late":           {trouble: faultnet.Trouble{Requests: faultnet.Hold}},
		"request lost to rivals": {trouble: faultnet.Trouble{Requests: faultnet.Lose}, rival: true},
		"request late for rival": {trouble: faultnet.Trouble{Requests: faultnet.Hold}, rival: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri := mongotest.Database(t)
			cut, proxy := through(t, uri, "")
			free := opened(t, uri)
			head, commits := add(t, cut, "w", sync.Head{}, 2)
			mine := after(head)
			appendCutOff(t, cut, free, proxy, c.trouble, mine)
			if c.rival {
				other := after(head)
				must(t, free.Append(t.Context(), "w", []*sync.Commit{other}))
				proxy.Heal()
				conflicts(t, "the repeated append", settle(t.Context(), cut, "w", mine))
				isJournal(t, free, "w", append(commits, other)...)
				return
			}
			proxy.Heal()
			must(t, settle(t.Context(), cut, "w", mine))
			must(t, cut.Append(t.Context(), "w", []*sync.Commit{mine}))
			isJournal(t, free, "w", append(commits, mine)...)
			_, more := add(t, cut, "w", headOf(mine), 1)
			isJournal(t, free, "w", append(append(commits, mine), more...)...)
		})
	}
}

// appendCutOff appends through a proxy in trouble until it is given up: if the
// request passes, once it has arrived.
func appendCutOff(t *testing.T, cut, free *Store, proxy *faultnet.Proxy, trouble faultnet.Trouble, c *sync.Commit) {
	t.Helper()
	proxy.Set(trouble)
	wait := 300 * time.Millisecond
	if trouble.Requests == faultnet.Pass {
		wait = time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	trying, ended := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error {
		defer ended()
		if err := cut.Append(ctx, "w", []*sync.Commit{c}); !errors.Is(err, sync.ErrUnknownOutcome) {
			return fmt.Errorf("the append gave %w, want an unknown outcome", err)
		}
		return nil
	})
	if trouble.Requests == faultnet.Pass {
		// It never arrives where the driver had to open a connection first, and
		// heard no answer to that.
		for head := (sync.Head{}); head.Number < c.Number && trying.Err() == nil; {
			var err error
			head, err = free.Head(t.Context(), "w")
			must(t, err)
		}
		cancel()
	}
	must(t, g.Wait())
}

// TestMakersOfAWorkspace: many make the first commit of the same workspace.
func TestMakersOfAWorkspace(t *testing.T) {
	t.Parallel()
	uri := mongotest.Database(t)
	stores := []*Store{opened(t, uri), opened(t, uri)}
	l := answers{accepted: map[sync.Hash]bool{}}
	var g errgroup.Group
	for i := range 8 {
		c := after(sync.Head{})
		g.Go(func() error {
			err := stores[i%2].Append(t.Context(), "w", []*sync.Commit{c})
			l.note(c, err == nil)
			if errors.Is(err, sync.ErrConflict) {
				return nil
			}
			return err
		})
	}
	must(t, g.Wait())
	l.isJournal(t, stores[0])
	if got := hashes(t, stores[0], "w"); len(got) != 1 {
		t.Fatalf("there are %d first commits", len(got))
	}
}
