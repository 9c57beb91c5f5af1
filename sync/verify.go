package sync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sort"

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
	// Problems name what is not as the journal says; none is good.
	Problems []string
}

// Verify replays a workspace's journal, the hash chain included, and compares
// everything else in the store with it: current documents, outcomes of
// mutations, the history index, lists, search and the checkpoint.
func Verify(ctx context.Context, store Store, reg *Registry, workspace string) (*Verification, error) {
	v := &verifier{
		store: store, reg: reg, out: &Verification{Workspace: workspace},
		st: newState(reg, Faults{}), current: map[Key]*Version{}, revs: map[Key][]uint64{},
	}
	steps := []func(context.Context) error{v.replay, v.documents, v.outcomes, v.history, v.lists, v.checkpoint}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return v.out, fmt.Errorf("verify %s: %w", workspace, err)
		}
	}
	return v.out, nil
}

type verifier struct {
	store   Store
	reg     *Registry
	out     *Verification
	st      *state
	current map[Key]*Version
	revs    map[Key][]uint64 // oldest first
	results []OutcomeRef
}

const maxProblems = 100

func (v *verifier) problem(format string, args ...any) {
	if len(v.out.Problems) < maxProblems {
		v.out.Problems = append(v.out.Problems, fmt.Sprintf(format, args...))
	}
}

// replay the journal and check its chain.
func (v *verifier) replay(ctx context.Context) error {
	var prev Head
	err := v.store.Journal(ctx, v.out.Workspace, 1, 0, func(c *Commit) error {
		if c.Number != prev.Number+1 {
			return fmt.Errorf("commit %d follows %d: %w", c.Number, prev.Number, ErrDamaged)
		}
		sealed := *c
		sealed.Seal()
		if c.Prev != prev.Hash || sealed.Hash != c.Hash {
			v.problem("commit %d: the hash chain is broken", c.Number)
		}
		if c.At.Before(prev.At) {
			v.problem("commit %d: is older than its predecessor", c.Number)
		}
		fs, err := v.reg.factsOf(c)
		if err != nil {
			return err
		}
		v.st.apply(c, fs)
		v.remember(c)
		prev = Head{c.Number, c.Hash, c.At}
		return nil
	})
	if err != nil {
		return err
	}
	v.out.Commits = prev.Number
	head, err := v.store.Head(ctx, v.out.Workspace)
	if err == nil && (head.Number != prev.Number || head.Hash != prev.Hash) {
		v.problem("head is %d, the journal ends at %d", head.Number, prev.Number)
	}
	return err
}

func (v *verifier) remember(c *Commit) {
	for i := range c.Changes {
		ch := &c.Changes[i]
		v.current[ch.Key] = ch
		v.revs[ch.Key] = append(v.revs[ch.Key], c.Number)
	}
	for _, o := range c.Outcomes {
		v.results = append(v.results, OutcomeRef{o.ID, o.Digest, c.Number})
	}
}

// documents compares the current ones.
func (v *verifier) documents(ctx context.Context) error {
	for keys := range slices.Chunk(v.keys(), 500) {
		rows, err := v.store.Documents(ctx, v.out.Workspace, keys)
		if err != nil {
			return err
		}
		got := map[Key]*Version{}
		for i := range rows {
			got[rows[i].Key] = &rows[i]
		}
		for _, k := range keys {
			want := v.current[k]
			if want.Deleted {
				v.out.Deleted++
			} else {
				v.out.Documents++
			}
			if !sameVersion(want, got[k]) {
				v.problem("%s: the current document is not that of commit %d", k, want.Rev)
			}
		}
	}
	return nil
}

func (v *verifier) keys() []Key {
	keys := slices.Collect(maps.Keys(v.current))
	sortKeys(keys)
	return keys
}

func sameVersion(a, b *Version) bool {
	return b != nil && a.Rev == b.Rev && a.Scope == b.Scope && a.Deleted == b.Deleted &&
		bytes.Equal(a.Body, b.Body) && bytes.Equal(a.Marks, b.Marks)
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

// history compares the index of each document's commits.
func (v *verifier) history(ctx context.Context) error {
	for _, k := range v.keys() {
		want := slices.Clone(v.revs[k])
		slices.Reverse(want)
		got, err := v.store.Revisions(ctx, v.out.Workspace, v.out.Commits, k, 0, len(want)+1)
		if err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			v.problem("%s: the history index has %v, the journal %v", k, got, want)
		}
	}
	return nil
}

// lists compares, for each kind, the list by every field that sorts, and the
// search for some words.
func (v *verifier) lists(ctx context.Context) error {
	for _, k := range v.reg.Kinds() {
		rows, words, err := v.indexed(k.Name)
		if err != nil {
			return err
		}
		fields := []string{"id"}
		for _, f := range k.Fields {
			if f.Filter {
				fields = append(fields, f.Name)
			}
		}
		for _, f := range fields {
			if err := v.listBy(ctx, k.Name, f, rows); err != nil {
				return err
			}
		}
		if err := v.search(ctx, k.Name, words); err != nil {
			return err
		}
	}
	return nil
}

// listRow is what lists should know of a document.
type listRow struct {
	id    string
	least map[string]string // field to its least sort key
}

func (v *verifier) indexed(kind string) (rows []listRow, words map[string][]string, err error) {
	words = map[string][]string{}
	for _, k := range v.keys() {
		if k.Kind != kind || v.current[k].Deleted {
			continue
		}
		entries, found, err := v.reg.Index(kind, v.current[k].Body)
		if err != nil {
			return nil, nil, fmt.Errorf("index %s: %w", k, err)
		}
		row := listRow{id: k.ID, least: map[string]string{"id": k.ID}}
		for _, e := range entries {
			if have, ok := row.least[e.Field]; !ok || e.Order < have {
				row.least[e.Field] = e.Order
			}
		}
		rows = append(rows, row)
		for _, w := range found {
			words[w] = append(words[w], k.ID)
		}
	}
	return rows, words, nil
}

func (v *verifier) listBy(ctx context.Context, kind, field string, rows []listRow) error {
	want := slices.Clone(rows)
	sort.SliceStable(want, func(i, j int) bool {
		a, okA := want[i].least[field]
		b, okB := want[j].least[field]
		switch {
		case okA != okB:
			return okA
		case a != b:
			return a < b
		}
		return want[i].id < want[j].id
	})
	q := Query{Kind: kind, Sort: []SortKey{{Field: field}}, Limit: 1000}
	at := 0
	for {
		page, err := v.store.List(ctx, v.out.Workspace, v.out.Commits, q)
		if err != nil {
			return err
		}
		v.out.Lists++
		for _, id := range page.IDs {
			if at >= len(want) || want[at].id != id {
				v.problem("list of %s by %s: %s is out of place", kind, field, id)
				return nil
			}
			at++
		}
		if page.Next == nil {
			break
		}
		q.After = page.Next
	}
	if at != len(want) {
		v.problem("list of %s by %s: has %d, the journal %d", kind, field, at, len(want))
	}
	return nil
}

const searchedWords = 200

func (v *verifier) search(ctx context.Context, kind string, words map[string][]string) error {
	all := slices.Sorted(maps.Keys(words))
	for i := 0; i < len(all); i += 1 + len(all)/searchedWords {
		want := map[string]bool{}
		for _, w := range all[i:] {
			if len(w) < len(all[i]) || w[:len(all[i])] != all[i] {
				break
			}
			for _, id := range words[w] {
				want[id] = true
			}
		}
		page, err := v.store.List(ctx, v.out.Workspace, v.out.Commits, Query{Kind: kind, Words: []string{all[i]}, Limit: 1})
		if err != nil {
			return err
		}
		v.out.Lists++
		if !page.More && page.Total != len(want) {
			v.problem("search of %s for %q: finds %d, the journal %d", kind, all[i], page.Total, len(want))
		}
	}
	return nil
}

// checkpoint compares what loading gives with the replay.
func (v *verifier) checkpoint(ctx context.Context) error {
	head, chunks, err := v.store.LoadCheckpoint(ctx, v.out.Workspace)
	if err == nil {
		err = newState(v.reg, Faults{}).decode(slices.Concat(chunks...))
		if err != nil && !errors.Is(err, errOtherVersion) {
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
	v.st.forget(st.horizon)
	if st.hash() != v.st.hash() {
		v.problem("the checkpoint and what follows it do not give the state of the journal")
	}
	return nil
}
