package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	stdsync "sync"

	"github.com/google/uuid"
)

// Verification is what Verify found.
type Verification struct {
	Workspace string
	Commits   uint64
	Documents int // live ones
	Deleted   int
	Outcomes  int
	Lists     int // list and search queries compared
	// Checkpoint is the commit of the one that was compared with the replay:
	// views, intervals and departures. 0: there is none.
	Checkpoint uint64
	// Meanwhile is how many documents somebody changed during the verification.
	// They were compared with the commits that changed them, but not in lists.
	Meanwhile int
	// Problems name what is not as the journal says; none is good.
	Problems []string
}

// Verify replays a workspace's journal up to its head, the hash chain included,
// and compares everything else in the store with it: current documents, their
// unique values, outcomes of mutations, the history index, lists, search, and
// the checkpoint with what follows it. Others may write meanwhile.
func Verify(ctx context.Context, store Store, reg *Registry, workspace string) (*Verification, error) {
	v := &verifier{
		store: store, reg: reg, out: &Verification{Workspace: workspace},
		st: newState(reg, Faults{}), current: map[Key]imprint{}, revs: map[Key][]uint64{},
		moved: map[Key]bool{}, lists: map[string]*listed{}, unique: map[string]string{},
	}
	steps := []func(context.Context) error{v.replay, v.documents, v.outcomes, v.history, v.compareLists, v.checkpoint}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return v.out, fmt.Errorf("verify %s: %w", workspace, err)
		}
	}
	v.out.Meanwhile = len(v.moved)
	return v.out, nil
}

// verifier compares everything with the journal as of one head. What somebody
// writes after that is followed, so that it can be told from what is wrong.
type verifier struct {
	store   Store
	reg     *Registry
	head    Head             // as of which all is compared
	st      *state           // of the journal, up to at
	at      Head             // beyond head, when others write
	current map[Key]imprint  // as of head
	revs    map[Key][]uint64 // oldest first
	results []OutcomeRef
	moved   map[Key]bool // changed after head
	lists   map[string]*listed
	unique  map[string]string // the id that has a unique value

	mu  stdsync.Mutex // of problem
	out *Verification
}

const maxProblems = 100

func (v *verifier) problem(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.out.Problems) < maxProblems {
		v.out.Problems = append(v.out.Problems, fmt.Sprintf(format, args...))
	}
}

// replay the journal up to its head and check its chain.
func (v *verifier) replay(ctx context.Context) (err error) {
	if v.head, err = v.store.Head(ctx, v.out.Workspace); err != nil {
		return err
	}
	if v.head.Number == 0 {
		return nil
	}
	if err := v.read(ctx, v.head.Number, v.remember); err != nil {
		return err
	}
	v.out.Commits = v.at.Number
	if v.at.Number != v.head.Number || v.at.Hash != v.head.Hash {
		v.problem("head is %d, the journal ends at %d", v.head.Number, v.at.Number)
		v.head = v.at
	}
	return nil
}

// read the journal on, up to a commit.
func (v *verifier) read(ctx context.Context, to uint64, remember func(*Commit)) error {
	return v.store.Journal(ctx, v.out.Workspace, v.at.Number+1, to, func(c *Commit) error {
		if c.Number != v.at.Number+1 {
			return fmt.Errorf("commit %d follows %d: %w", c.Number, v.at.Number, ErrDamaged)
		}
		sealed := *c
		sealed.Seal()
		if c.Prev != v.at.Hash || sealed.Hash != c.Hash {
			v.problem("commit %d: the hash chain is broken", c.Number)
		}
		if c.At.Before(v.at.At) {
			v.problem("commit %d: is older than its predecessor", c.Number)
		}
		fs, err := v.reg.factsOf(c)
		if err != nil {
			return err
		}
		v.st.apply(c, fs)
		remember(c)
		v.at = Head{c.Number, c.Hash, c.At}
		return nil
	})
}

func (v *verifier) remember(c *Commit) {
	for i := range c.Changes {
		ch := &c.Changes[i]
		v.current[ch.Key] = imprintOf(ch)
		v.revs[ch.Key] = append(v.revs[ch.Key], c.Number)
	}
	for _, o := range c.Outcomes {
		v.results = append(v.results, OutcomeRef{o.ID, o.Digest, c.Number})
	}
}

// follow reads what others have written since, up to a commit (0: all).
func (v *verifier) follow(ctx context.Context, to uint64) error {
	return v.read(ctx, to, func(c *Commit) {
		for i := range c.Changes {
			v.moved[c.Changes[i].Key] = true
		}
	})
}

// outcomes compares the index of what became of mutations.
func (v *verifier) outcomes(ctx context.Context) error {
	v.out.Outcomes = len(v.results)
	seen := map[uuid.UUID]bool{}
	for refs := range slices.Chunk(v.results, 500) {
		ids := make([]uuid.UUID, len(refs))
		for i := range refs {
			ids[i] = refs[i].ID
			if seen[ids[i]] {
				v.problem("mutation %s had its effect twice", ids[i])
			}
			seen[ids[i]] = true
		}
		got, err := v.store.Outcomes(ctx, v.out.Workspace, ids)
		if err != nil {
			return err
		}
		byID := map[uuid.UUID]OutcomeRef{}
		for _, g := range got {
			byID[g.ID] = g
		}
		for _, want := range refs {
			if byID[want.ID] != want {
				v.problem("mutation %s: its outcome is not that of commit %d", want.ID, want.Commit)
			}
		}
	}
	return nil
}

// checkpoint compares what loading gives with the replay: the whole state, with
// every interval and departure that cursors may still need.
func (v *verifier) checkpoint(ctx context.Context) error {
	head, chunks, err := v.store.LoadCheckpoint(ctx, v.out.Workspace)
	if err == nil {
		err = newState(v.reg, Faults{}).decode(slices.Concat(chunks...))
		if err == nil {
			v.out.Checkpoint = head.Number
		} else if !errors.Is(err, errOtherVersion) {
			v.problem("the checkpoint of commit %d is damaged", head.Number)
		}
	} else if !errors.Is(err, ErrMissing) {
		v.problem("the checkpoint cannot be read: %v", err)
	}
	e := &Engine{o: Options{Store: v.store, Registry: v.reg, Logger: slog.New(slog.DiscardHandler)}}
	st, _, _, err := e.restoreState(ctx, v.out.Workspace)
	if err != nil {
		return err
	}
	if err := v.follow(ctx, st.head.Number); err != nil {
		return err
	}
	v.st.forget(max(v.st.horizon, st.horizon))
	if st.hash() != v.st.hash() {
		v.problem("the checkpoint and what follows it do not give the state of the journal")
	}
	return nil
}
