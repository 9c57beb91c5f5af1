package sync

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
)

// imprint is what the journal says of a document: its bodies are too many to keep.
type imprint struct {
	rev     uint64
	deleted bool
	sum     [16]byte
}

func imprintOf(v *Version) imprint {
	k := imprint{rev: v.Rev, deleted: v.Deleted}
	h := sha256.New()
	for _, part := range [][]byte{[]byte(v.Scope), v.Body, v.Marks} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // never fails
		h.Write(part)
	}
	copy(k.sum[:], h.Sum(nil))
	return k
}

func (v *verifier) keys() []Key {
	keys := slices.Collect(maps.Keys(v.current))
	sortKeys(keys)
	return keys
}

// documents compares the current ones, and notes what lists should know of
// them.
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
			if err := v.document(ctx, k, got[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// document compares one with what the journal says, or with a later commit if
// somebody has changed it since.
func (v *verifier) document(ctx context.Context, k Key, got *Version) error {
	want := v.current[k]
	if want.deleted {
		v.out.Deleted++
	} else {
		v.out.Documents++
	}
	same := got != nil && imprintOf(got) == want
	if got != nil && got.Rev > v.head.Number {
		v.moved[k] = true
		later, err := v.asOf(ctx, k, got.Rev)
		if err != nil {
			return err
		}
		same = later != nil && imprintOf(later) == imprintOf(got)
	}
	if !same {
		v.problem("%s: the current document is not that of commit %d", k, want.rev)
	}
	if want.deleted || v.moved[k] {
		return nil
	}
	if !same { // lists are made from the journal
		var err error
		if got, err = v.asOf(ctx, k, want.rev); err != nil || got == nil {
			return err
		}
	}
	return v.list(k, got.Body)
}

// asOf is the version of a document that a commit holds; nil if it holds none.
func (v *verifier) asOf(ctx context.Context, k Key, number uint64) (found *Version, err error) {
	err = v.store.Journal(ctx, v.out.Workspace, number, number, func(c *Commit) error {
		for i := range c.Changes {
			if c.Changes[i].Key == k {
				found = &c.Changes[i]
			}
		}
		return nil
	})
	return found, err
}

// distinct checks that no other live document has its unique values.
func (v *verifier) distinct(k Key, f Fields) {
	kind := v.reg.Kind(k.Kind)
	for i := range kind.Unique {
		u := &kind.Unique[i]
		value := u.value(f)
		if value == "" {
			continue
		}
		name := fmt.Sprintf("%q %q %q", k.Kind, u.Field, value)
		if other, taken := v.unique[name]; taken {
			v.problem("%s: has the same %s as %s", k, u.Field, other)
		}
		v.unique[name] = k.ID
	}
}

// atOnce is how many queries run at a time.
const atOnce = 8

// history compares the index of each document's commits.
func (v *verifier) history(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for k, revs := range v.revs {
		g.Go(func() error {
			want := slices.Clone(revs)
			slices.Reverse(want)
			got, err := v.store.Revisions(ctx, v.out.Workspace, v.head.Number, k, v.head.Number+1, len(want)+1)
			if err != nil {
				return err
			}
			if !slices.Equal(got, want) {
				v.problem("%s: the history index has %v, the journal %v", k, got, want)
			}
			return nil
		})
	}
	return g.Wait()
}
