package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/sync"
)

// Opener opens the engine over a data folder, to fill it before a server
// process takes it over.
type Opener func(ctx context.Context, dir string) (engine *sync.Engine, a *auth.Service, stop func(context.Context) error, err error)

// world is what is known of a filled data folder.
type world struct {
	Admin   string   // a token
	Devices []device // of the technicians
	Pushers []device // of technicians who have no clients, one per connection
	Others  []device // technicians of other workspaces, one per connection, dealt out to them in turn
	Beside  int      // documents that every technician sees besides clients
}

// device is one phone.
type device struct {
	User   string
	Token  string
	Cursor string // at the head
	Behind string // a cursor with changed documents after it, or ""
}

// folder says how a data folder is filled.
type folder struct {
	name string
	base string             // the folder it begins with a copy of, or ""
	of   func(s Size) []int // the numbers that its content depends on
	fill func(f *filler, ctx context.Context) (*world, error)
}

func folders() []folder {
	book := func(s Size) []int { return []int{s.Technicians, s.Connections, s.Clients} }
	grown := func(name string, i int) folder {
		return folder{
			name: name,
			of:   func(s Size) []int { return []int{s.Technicians, s.Connections, s.Grown[i]} },
			fill: func(f *filler, ctx context.Context) (*world, error) { return f.grown(ctx, f.size.Grown[i]) },
		}
	}
	return []folder{
		{"book", "", book, (*filler).book},
		{"views", "", func(s Size) []int { return []int{s.Connections, s.View, s.BigView} }, (*filler).views},
		{"streams", "book", func(s Size) []int { return append(book(s), s.Streams) }, (*filler).streams},
		grown("grown-little", 0),
		grown("grown-large", 1),
		{"nodes", "", func(s Size) []int { return []int{s.Technicians, s.Connections, s.Others} }, (*filler).nodes},
		{"many", "", func(s Size) []int { return []int{s.Workspaces, s.Each} }, (*filler).many},
	}
}

// shelf keeps filled data folders: each is filled once, when it is first
// asked for.
type shelf struct {
	dir  string
	size Size
	open Opener
	say  func(format string, args ...any)
}

// get gives the data folder of that name, and what is known of it.
func (s *shelf) get(ctx context.Context, name string) (data string, w *world, err error) {
	for _, f := range folders() {
		if f.name == name {
			return s.filled(ctx, f)
		}
	}
	return "", nil, fmt.Errorf("there is no folder %q", name)
}

func (s *shelf) filled(ctx context.Context, f folder) (string, *world, error) {
	dir := filepath.Join(s.dir, f.name)
	data, about := filepath.Join(dir, "data"), filepath.Join(dir, "world.json")
	if w, err := s.known(f, about); w != nil || err != nil {
		return data, w, err
	}
	if err := os.RemoveAll(dir); err != nil { // a filling that was broken off
		return "", nil, fmt.Errorf("clear %s: %w", dir, err)
	}
	var before *world
	if f.base != "" {
		base, w, err := s.get(ctx, f.base)
		if err == nil {
			err = copyFolder(data, base)
		}
		if err != nil {
			return "", nil, err
		}
		before = w
	}
	w, err := s.fill(ctx, f, data, before)
	if err != nil {
		return "", nil, fmt.Errorf("fill the folder %s: %w", f.name, err)
	}
	return data, w, s.note(f, about, w)
}

func (s *shelf) fill(ctx context.Context, f folder, data string, before *world) (w *world, err error) {
	began := time.Now()
	s.say("filling the folder %s", f.name)
	engine, a, stop, err := s.open(ctx, data)
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, stop(context.WithoutCancel(ctx)))
		s.say("filled the folder %s in %s", f.name, time.Since(began).Round(time.Millisecond))
	}()
	return f.fill(&filler{size: s.size, engine: engine, auth: a, say: s.say, before: before}, ctx)
}

// noted is what stands beside a filled folder.
type noted struct {
	Of    []int // as the folder's of gave it
	World *world
}

// known reads what was noted of a folder; nil if it is to be filled, or
// filled anew in another size.
func (s *shelf) known(f folder, about string) (*world, error) {
	raw, err := os.ReadFile(about)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // the caller fills it
	}
	if err != nil {
		return nil, fmt.Errorf("read what is in a folder: %w", err)
	}
	var n noted
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, fmt.Errorf("read what is in a folder: %w", err)
	}
	if !slices.Equal(n.Of, f.of(s.size)) {
		return nil, nil //nolint:nilnil // the caller fills it
	}
	return n.World, nil
}

// note is written last: a folder without one is not complete.
func (s *shelf) note(f folder, about string, w *world) error {
	raw, err := json.Marshal(noted{Of: f.of(s.size), World: w})
	if err != nil {
		return fmt.Errorf("encode what is in a folder: %w", err)
	}
	if err := os.WriteFile(about, raw, 0o600); err != nil {
		return fmt.Errorf("note what is in a folder: %w", err)
	}
	return nil
}

func copyFolder(to, from string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return fmt.Errorf("copy a data folder: %w", err)
	}
	return nil
}
