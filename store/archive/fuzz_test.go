package archive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/sync"
)

// memory is a source in memory, and takes what is read.
type memory struct {
	names   []string
	commits map[string][]*sync.Commit
	notes   map[string]map[string][]byte
}

func newMemory() *memory {
	return &memory{commits: map[string][]*sync.Commit{}, notes: map[string]map[string][]byte{}}
}

func (m *memory) last() string { return m.names[len(m.names)-1] }

func (m *memory) begin(_ context.Context, w Workspace) error {
	m.names = append(m.names, w.Name)
	m.notes[w.Name] = map[string][]byte{}
	return nil
}

func (m *memory) note(_ context.Context, key string, value []byte) error {
	m.notes[m.last()][key] = value
	return nil
}

func (m *memory) commit(_ context.Context, c *sync.Commit) error {
	m.commits[m.last()] = append(m.commits[m.last()], c)
	return nil
}

func (m *memory) done(context.Context) error { return nil }

func (m *memory) Workspaces(context.Context) ([]string, error) { return m.names, nil }

func (m *memory) Head(_ context.Context, name string) (sync.Head, error) {
	all := m.commits[name]
	last := all[len(all)-1]
	return sync.Head{Number: last.Number, Hash: last.Hash, At: last.At}, nil
}

func (m *memory) Journal(_ context.Context, name string, from, to uint64, yield func(*sync.Commit) error) error {
	for _, c := range m.commits[name][from-1 : to] {
		if err := yield(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Notes(_ context.Context, name, _ string) (map[string][]byte, error) {
	return m.notes[name], nil
}

// sample is a small source.
func sample() *memory {
	m := newMemory()
	for _, name := range []string{"east", "west"} {
		m.names = append(m.names, name)
		m.notes[name] = map[string][]byte{"seen/a": []byte("1"), "": {}}
		var prev sync.Hash
		for n := range uint64(3) {
			c := &sync.Commit{Number: n + 1, Prev: prev, Nonce: uuid.UUID{1}, At: time.UnixMicro(1e15).UTC(), Day: "2026-11-21",
				Changes:  []sync.Version{{Key: sync.Key{Kind: "client", ID: "c"}, Rev: n + 1, Scope: "s", Body: []byte(`{}`)}},
				Outcomes: []sync.Outcome{{ID: uuid.UUID{2}, User: "u", Result: []byte(`{}`)}}}
			c.Seal()
			prev = c.Hash
			m.commits[name] = append(m.commits[name], c)
		}
	}
	return m
}

// again writes what was read, and reads that.
func again(t *testing.T, m *memory, made time.Time) {
	t.Helper()
	var first, second bytes.Buffer
	if _, err := Backup(t.Context(), m, &first, made); err != nil {
		t.Fatalf("what was read cannot be written: %v", err)
	}
	twin := newMemory()
	contents, err := read(t.Context(), bytes.NewReader(first.Bytes()), func(*Contents) (sink, error) { return twin, nil })
	if err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	if _, err := Backup(t.Context(), twin, &second, contents.Made); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Fatalf("a backup of what was restored is another, %v", err)
	}
}

// isRead reads what may be anything: it is whole, or the error says that it is
// not.
func isRead(t *testing.T, read func(accept func(*Contents) (sink, error)) (*Contents, error)) {
	t.Helper()
	m := newMemory()
	contents, err := read(func(*Contents) (sink, error) { return m, nil })
	if err == nil {
		again(t, m, contents.Made)
		return
	}
	if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotBackup) && !errors.Is(err, ErrVersion) {
		t.Fatalf("an error of its own: %v", err)
	}
}

func FuzzFile(f *testing.F) {
	var file bytes.Buffer
	if _, err := Backup(context.Background(), sample(), &file, time.UnixMicro(1e15)); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add(file.Bytes()[:file.Len()/2])
	f.Add([]byte(magic))
	f.Add([]byte("enroute backup, format 2\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		isRead(t, func(accept func(*Contents) (sink, error)) (*Contents, error) {
			return read(t.Context(), bytes.NewReader(file), accept)
		})
	})
}

// FuzzRecords gives records whose checksums are right, and which are the
// fuzzer's: each a kind, a length in two bytes, and the body.
func FuzzRecords(f *testing.F) {
	for _, drop := range []int{-1, 0, 1, 3, 5} {
		f.Add(records(f, sample(), drop))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var plain bytes.Buffer
		e := &encoder{out: bufio.NewWriter(&plain)}
		for len(input) >= 3 {
			n := min(int(binary.BigEndian.Uint16(input[1:])), len(input)-3)
			if err := e.record(input[0], input[3:3+n]); err != nil {
				t.Fatal(err)
			}
			input = input[3+n:]
		}
		if err := e.out.Flush(); err != nil {
			t.Fatal(err)
		}
		d := &decoder{in: bufio.NewReader(&plain)}
		isRead(t, func(accept func(*Contents) (sink, error)) (*Contents, error) { return d.all(t.Context(), accept) })
	})
}

// records of a backup in the form of FuzzRecords, but for the one at place drop.
func records(f *testing.F, m *memory, drop int) []byte {
	f.Helper()
	var file bytes.Buffer
	if _, err := Backup(context.Background(), m, &file, time.UnixMicro(1e15)); err != nil {
		f.Fatal(err)
	}
	d, err := newDecoder(&file)
	if err != nil {
		f.Fatal(err)
	}
	defer d.close()
	var out []byte
	for i := 0; ; i++ {
		kind, body, err := d.next()
		if errors.Is(err, ErrDamaged) && d.end() == nil { // the end: no record begins
			return out
		}
		if err != nil {
			f.Fatal(err)
		}
		if i != drop {
			out = append(binary.BigEndian.AppendUint16(append(out, kind), uint16(len(body))), body...)
		}
	}
}

// TestCompression: what repeats itself, as journals do, takes little room.
func TestCompression(t *testing.T) {
	t.Parallel()
	m := sample()
	all := m.commits["east"]
	for n := range uint64(2000) {
		last := all[len(all)-1]
		c := &sync.Commit{Number: n + 4, Prev: last.Hash, At: last.At, Changes: last.Changes}
		c.Seal()
		all = append(all, c)
	}
	m.commits["east"] = all
	var size counter
	if _, err := Backup(t.Context(), m, &size, time.UnixMicro(1e15)); err != nil {
		t.Fatal(err)
	}
	if size > 40_000 {
		t.Errorf("2,000 commits that are alike took %d bytes", size)
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
