package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/sync"
)

func testCheckpoint(t *testing.T, b *bench) {
	ctx := t.Context()
	if _, _, err := b.LoadCheckpoint(ctx, "w"); !errors.Is(err, sync.ErrMissing) {
		t.Fatalf("no checkpoint gave %v", err)
	}
	c := newChain("w")
	c.next()
	for _, chunks := range [][][]byte{
		{[]byte("one"), []byte("two"), []byte("three")},
		{bytes.Repeat([]byte{7}, 1<<20), []byte("x")},
		{[]byte("only")},
		{},
		{[]byte("a"), {}, []byte("c")},
	} {
		c.next()
		must(t, b.SaveCheckpoint(ctx, "w", c.head, chunks))
		head, got, err := b.LoadCheckpoint(ctx, "w")
		must(t, err)
		if head != c.head || !slices.EqualFunc(got, chunks, bytes.Equal) {
			t.Fatalf("checkpoint is %v with %d chunks, want %v with %d", head, len(got), c.head, len(chunks))
		}
	}
	if _, _, err := b.LoadCheckpoint(ctx, "other"); !errors.Is(err, sync.ErrMissing) {
		t.Fatalf("another workspace's checkpoint gave %v", err)
	}
}

// testCheckpointUnderWrite: who loads while another is being saved gets one
// of them whole.
func testCheckpointUnderWrite(t *testing.T, b *bench) {
	const saves = 30
	save := func(n uint64) error {
		chunk := []byte(fmt.Sprint(n))
		return b.SaveCheckpoint(t.Context(), "w", sync.Head{Number: n, At: epoch}, slices.Repeat([][]byte{chunk}, 5))
	}
	must(t, save(1))
	var g errgroup.Group
	g.Go(func() error {
		for n := range uint64(saves) {
			if err := save(n + 2); err != nil {
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		for range saves {
			head, chunks, err := b.LoadCheckpoint(t.Context(), "w")
			if err != nil {
				return err
			}
			want := slices.Repeat([][]byte{[]byte(fmt.Sprint(head.Number))}, 5)
			if !slices.EqualFunc(chunks, want, bytes.Equal) {
				return fmt.Errorf("checkpoint %d has chunks %q", head.Number, chunks)
			}
		}
		return nil
	})
	must(t, g.Wait())
}

func testNotes(t *testing.T, b *bench) {
	ctx := t.Context()
	is := func(workspace, prefix string, want ...string) {
		t.Helper()
		got, err := b.Notes(ctx, workspace, prefix)
		must(t, err)
		if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, want) {
			t.Fatalf("notes of %s with prefix %q are %q, want %q", workspace, prefix, keys, want)
		}
	}
	must(t, b.SaveNotes(ctx, "w", map[string][]byte{
		"seen/a": []byte("1"), "seen/b": []byte("2"), "seen%": []byte("3"), "follow/x": {}, "é": []byte("4"),
	}))
	is("w", "", "follow/x", "seen%", "seen/a", "seen/b", "é")
	is("w", "seen/", "seen/a", "seen/b")
	is("w", "seen%", "seen%")
	is("w", "s_en")
	is("w", "é", "é")
	is("other", "")
	must(t, b.SaveNotes(ctx, "other", map[string][]byte{"seen/a": []byte("other")}))
	must(t, b.SaveNotes(ctx, "w", map[string][]byte{"seen/a": []byte("new"), "seen/b": nil, "absent": nil}))
	is("w", "seen/", "seen/a")
	is("other", "", "seen/a")
	got, err := b.Notes(ctx, "w", "")
	must(t, err)
	if string(got["seen/a"]) != "new" || got["follow/x"] == nil {
		t.Fatalf("notes are %q", got)
	}
	must(t, b.SaveNotes(ctx, "w", nil))
}

func testRevisions(t *testing.T, b *bench) {
	c := newChain("w")
	key := sync.Key{Kind: "client", ID: "c1"}
	for i := range uint64(12) {
		if i%3 == 0 {
			c.add(b, named("other", "x"))
			continue
		}
		c.add(b, named("c1", fmt.Sprint(i)), named("other", "y"))
	}
	c.add(b, gone(named("c1", "")))
	for _, q := range []struct {
		before uint64
		limit  int
		want   []uint64
	}{
		{0, 100, []uint64{13, 12, 11, 9, 8, 6, 5, 3, 2}},
		{0, 3, []uint64{13, 12, 11}},
		{11, 3, []uint64{9, 8, 6}},
		{10, 1, []uint64{9}},
		{2, 10, nil},
		{1, 10, nil},
	} {
		got, err := b.Revisions(t.Context(), "w", c.head.Number, key, q.before, q.limit)
		if err != nil || !slices.Equal(got, q.want) {
			t.Errorf("revisions before %d, at most %d: %v, %v, want %v", q.before, q.limit, got, err, q.want)
		}
	}
	for i := range uint64(50) { // always brought to the head that is asked for
		c.add(b, named("c2", fmt.Sprint(i)))
		got, err := b.Revisions(t.Context(), "w", c.head.Number, sync.Key{Kind: "client", ID: "c2"}, 0, 1)
		if err != nil || !slices.Equal(got, []uint64{c.head.Number}) {
			t.Fatalf("newest revision is %v, %v, want %d", got, err, c.head.Number)
		}
	}
}
