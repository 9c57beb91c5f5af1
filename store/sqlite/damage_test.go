package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/store/faultdisk"
	"github.com/enroute-field/enroute/sync"
)

// damages, in the environment, is how many files TestDamagedFile spoils.
const damages = "ENROUTE_TEST_DAMAGES"

// truth is a data file as it was written, and what can be read off it.
type truth struct {
	reg       *sync.Registry
	closed    map[string][]byte // files by path after an orderly end
	killed    map[string][]byte // and as a kill leaves them, with a write-ahead log
	state     sync.Hash
	commits   []*sync.Commit
	documents map[sync.Key]*sync.Version
	list      []string // all ids, by name
}

// newTruth writes a file with a history.
func newTruth(t *testing.T) *truth {
	t.Helper()
	disk := newDisk(t)
	path := filepath.Join(t.TempDir(), "x.db")
	tr := &truth{reg: benchRegistry(t), documents: map[sync.Key]*sync.Version{}}
	s, err := Open(t.Context(), path, tr.reg, Options{VFS: disk.Name()})
	if err != nil {
		t.Fatal(err)
	}
	s.writer.mover.full, s.writer.mover.every = 100, 1
	e := sync.New(sync.Options{Store: s, Registry: tr.reg})
	if err := tr.fill(t.Context(), e, s); err != nil {
		t.Fatal(err)
	}
	replay := faultdisk.NewReplay(disk.Log())
	replay.To(disk.Now())
	tr.killed = replay.Seen()
	if err := errors.Join(e.Close(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
	replay = faultdisk.NewReplay(disk.Log())
	replay.To(disk.Now())
	tr.closed = replay.Seen()
	if len(tr.killed) != 4 || len(tr.closed) != 2 {
		t.Fatalf("%d files when killed, %d when closed", len(tr.killed), len(tr.closed))
	}
	return tr
}

// fill the workspace and remember what it holds.
func (tr *truth) fill(ctx context.Context, e *sync.Engine, s *Store) error {
	chance := rand.New(rand.NewPCG(1, 2))
	ws, err := opened(ctx, e, "w0")
	if err != nil {
		return err
	}
	for i := range 30 {
		if err := tr.write(ctx, ws, chance, i); err != nil {
			return err
		}
		if i == 20 {
			err = ws.Evict(ctx) // writes a checkpoint
		}
		if err != nil {
			return err
		}
	}
	err = s.Journal(ctx, "w0", 1, 0, func(c *sync.Commit) error {
		tr.commits = append(tr.commits, c)
		for i := range c.Changes {
			tr.documents[c.Changes[i].Key] = &c.Changes[i]
		}
		return nil
	})
	if err == nil {
		tr.state, err = ws.StateHash(ctx)
	}
	if err == nil {
		tr.list, err = tr.byName(ctx, s)
	}
	return err
}

// write new clients, and change old ones.
func (tr *truth) write(ctx context.Context, ws *sync.Workspace, chance *rand.Rand, i int) error {
	w := clientWrite(chance, 3)
	out, err := ws.Write(ctx, sync.System("test"), w)
	if err != nil {
		return err
	}
	update := sync.Mutation{ID: uuid.New(), Kind: "client", DocID: out.Docs[chance.IntN(3)].ID, Op: sync.Update, Base: out.Rev}
	update.Set = sync.Fields{"name": fmt.Sprint("Changed ", i)}
	_, err = ws.Write(ctx, sync.System("test"), sync.Write{Mutations: []sync.Mutation{update}, Admit: true})
	return err
}

func (tr *truth) byName(ctx context.Context, s sync.Store) ([]string, error) {
	head, err := s.Head(ctx, "w0")
	if err != nil {
		return nil, err
	}
	l, err := s.List(ctx, "w0", head.Number, sync.Query{Kind: "client", Sort: []sync.SortKey{{Field: "name"}}, Limit: 1000})
	return l.IDs, err
}

// TestDamagedFile: whatever happens to a file at rest, what is read from it is
// what was written, or an error. Lists may lack a document when their index is
// damaged; then verify tells.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	tr := newTruth(t)
	harmless := 0
	n := number(t, damages, 24)
	for range n {
		seed := rand.Uint64()
		chance := rand.New(rand.NewPCG(seed, 0))
		files, what := tr.spoil(chance)
		path := filepath.Join(t.TempDir(), "x.db")
		writeFiles(t, files, filepath.Dir(path))
		seen, err := tr.inspect(t.Context(), path, strings.HasPrefix(what, "wal"))
		if err != nil {
			t.Errorf("%s, seed %d: %v", what, seed, err)
		}
		if seen == 0 {
			harmless++
		}
	}
	t.Logf("%d damages, %d of them where nothing is, or healed", n, harmless)
	if n >= 24 && harmless == n {
		t.Error("no damage was told")
	}
}

// writeFiles to a folder.
func writeFiles(t *testing.T, files map[string][]byte, folder string) {
	t.Helper()
	for path, content := range files {
		must(t, os.WriteFile(filepath.Join(folder, filepath.Base(path)), content, 0o600))
	}
}

// spoil a copy of the files in one place.
func (tr *truth) spoil(chance *rand.Rand) (files map[string][]byte, what string) {
	files, what = map[string][]byte{}, "file: "
	origin, suffix := tr.closed, "x.db"
	switch chance.IntN(6) {
	case 0:
		origin, suffix, what = tr.killed, "x.db-wal", "wal: "
	case 1:
		suffix, what = "x.lists.db", "lists: "
	}
	for name, content := range origin {
		files[name] = slices.Clone(content)
		if strings.HasSuffix(name, suffix) {
			var how string
			files[name], how = spoil(chance, files[name])
			what += how
		}
	}
	return files, what
}

// spoil content: bits, sectors, pages, or its end.
func spoil(chance *rand.Rand, content []byte) (spoiled []byte, how string) {
	const size = 4096
	page := func() []byte {
		at := chance.IntN(len(content)/size) * size
		return content[at : at+size]
	}
	p := page()
	switch chance.IntN(6) {
	case 0:
		p[chance.IntN(size)] ^= 1 << chance.IntN(8)
		return content, "a bit"
	case 1:
		at := chance.IntN(size/512) * 512
		clear(p[at : at+512])
		return content, "a sector of zeros"
	case 2:
		clear(p)
		return content, "a page of zeros"
	case 3:
		for i := range p {
			p[i] = byte(chance.Uint32())
		}
		return content, "a page of anything"
	case 4:
		q := page()
		kept := slices.Clone(q)
		copy(q, p)
		copy(p, kept)
		return content, "two pages in each other's place"
	}
	return content[:chance.IntN(len(content))], "the end is cut off"
}

// inspection counts errors, and collects what is wrong without one.
type inspection struct {
	told  int
	wrong []error
}

func (in *inspection) saw(what string, err error, wrong bool) {
	if err != nil {
		in.told++
	} else if wrong {
		in.wrong = append(in.wrong, errors.New(what))
	}
}

// inspect reads all there is. With a write-ahead log that is damaged, the last
// commits may be gone: then what is there must be the beginning.
func (tr *truth) inspect(ctx context.Context, path string, beginning bool) (told int, err error) {
	in := &inspection{}
	s, err := Open(ctx, path, tr.reg, Options{})
	if err != nil {
		return 1, nil //nolint:nilerr // that it is told is what is wanted
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	last := uint64(len(tr.commits))
	err = s.Journal(ctx, "w0", 1, 0, func(c *sync.Commit) error {
		in.saw("a commit is another", nil, c.Number > last || !bytes.Equal(c.Encode(), tr.commits[c.Number-1].Encode()))
		return nil
	})
	in.saw("journal", err, false)
	tr.inspectEngine(ctx, in, s, beginning)
	if !beginning {
		tr.inspectIndexes(ctx, in, s)
	}
	return in.told, errors.Join(in.wrong...)
}

// inspectEngine looks at what phones would be told.
func (tr *truth) inspectEngine(ctx context.Context, in *inspection, s sync.Store, beginning bool) {
	e := sync.New(sync.Options{Store: s, Registry: tr.reg, Logger: slog.New(slog.DiscardHandler)})
	defer e.Abandon()
	ws, err := e.Open(ctx, "w0")
	in.saw("open", err, false)
	if err != nil {
		return
	}
	head, err := ws.Head(ctx) // the store's own may be too low; the engine has the checkpoint's besides
	last := uint64(len(tr.commits))
	in.saw("the head is another", err, err == nil && (head.Number > last || head.Number != last && !beginning ||
		head.Hash != tr.commits[head.Number-1].Hash))
	state, err := ws.StateHash(ctx)
	in.saw("who sees what is another", err, state != tr.state && !beginning)
	for key, want := range tr.documents {
		got, err := ws.Get(ctx, sync.Actor{}, key)
		if err == nil && beginning {
			want = tr.version(key, got.Rev)
		}
		in.saw(fmt.Sprintf("%s is another", key), err, err == nil && !same(got, want))
	}
}

// version of a document that a commit made; nil if it made none.
func (tr *truth) version(key sync.Key, rev uint64) *sync.Version {
	for i := range tr.commits[rev-1].Changes {
		if v := &tr.commits[rev-1].Changes[i]; v.Key == key {
			return v
		}
	}
	return nil
}

func same(a, b *sync.Version) bool {
	return b != nil && a.Rev == b.Rev && a.Scope == b.Scope && bytes.Equal(a.Body, b.Body) && bytes.Equal(a.Marks, b.Marks)
}

// inspectIndexes looks at lists and outcomes. What lacks in them is seen by
// verify only.
func (tr *truth) inspectIndexes(ctx context.Context, in *inspection, s sync.Store) {
	ids, err := tr.byName(ctx, s)
	lacking := err == nil && !slices.Equal(ids, tr.list)
	in.saw("list", err, false)
	for _, c := range tr.commits {
		refs, err := s.Outcomes(ctx, "w0", outcomeIDs(c))
		in.saw("outcomes", err, false)
		lacking = lacking || err == nil && len(refs) != len(c.Outcomes)
		for _, r := range refs {
			in.saw("an outcome is in another commit", nil, r.Commit != c.Number)
		}
	}
	if lacking {
		v, err := sync.Verify(ctx, s, tr.reg, "w0")
		in.saw("lists or outcomes lack something, and verify says nothing", err, err == nil && len(v.Problems) == 0)
	}
}
