package bench

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/auth"
	"github.com/enroute-field/enroute/sync"
)

// TestFigures: the median counts, and is judged by the target.
func TestFigures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		aim    target
		rounds []float64
		want   string
	}{
		{least(0.85), []float64{0.9, 0.2, 0.86}, "| ≥ 0.85 | 0.86 | 0.20 to 0.90 | met |"},
		{least(0.85), []float64{0.9, 0.2, 0.84}, "| ≥ 0.85 | 0.84 | 0.20 to 0.90 | **missed** |"},
		{most(10), []float64{10}, "| ≤ 10.00 | 10.00 |  | met |"},
		{most(10), []float64{11, 2, 12}, "| ≤ 10.00 | 11.00 | 2.00 to 12.00 | **missed** |"},
		{target{}, []float64{1}, "|  | 1.00 |  |  |"},
	} {
		r := &Report{scenario: "s"}
		r.add("what", "%.2f", c.aim, c.rounds...)
		if text := r.Markdown(); !strings.Contains(text, "| s | what "+c.want) {
			t.Errorf("%s is not in:\n%s", c.want, text)
		}
	}
}

// TestOthers: what else the machine is busy with is what our processes did not use.
func TestOthers(t *testing.T) {
	t.Parallel()
	at := time.Now()
	from := instant{at: at, all: time.Hour, ours: time.Minute}
	to := instant{at: at.Add(10 * time.Second), all: time.Hour + 15*time.Second, ours: time.Minute + 5*time.Second}
	if got := from.others(to); got != 1 {
		t.Errorf("%.2f cores, want 1", got)
	}
	a, err := now()
	if err != nil {
		t.Fatal(err)
	}
	b, err := now()
	if err != nil || a.all <= 0 || a.ours <= 0 || b.all < a.all || b.ours < a.ours {
		t.Errorf("%+v, then %+v, %v", a, b, err)
	}
}

func TestChosen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "nothing-new delta first push live streams move memory"},
		{Options{Scale: true}, "nothing-new delta first push live streams move memory growth workspaces"},
		{Options{Only: []string{"growth", "delta"}}, "delta growth"},
	} {
		all, err := c.o.chosen()
		if got := strings.Join(each(all, func(s scenario) string { return s.name }), " "); err != nil || got != c.want {
			t.Errorf("%+v: %s, %v; want %s", c.o, got, err, c.want)
		}
	}
	o := Options{Only: []string{"dleta"}}
	if _, err := o.chosen(); err == nil || !strings.Contains(err.Error(), "dleta") {
		t.Error(err)
	}
}

// TestShelfFillsOnce: a kept folder is used again for the same content, made
// anew for another, and one whose filling was broken off is not used.
func TestShelfFillsOnce(t *testing.T) {
	t.Parallel()
	fills := 0
	s := &shelf{dir: t.TempDir(), size: Small(), say: func(string, ...any) {}}
	s.open = func(_ context.Context, dir string) (*sync.Engine, *auth.Service, func(context.Context) error, error) {
		return nil, nil, func(context.Context) error { return nil }, os.MkdirAll(dir, 0o700)
	}
	var broken error
	f := folder{name: "f", of: func(s Size) []int { return []int{s.Clients} }, fill: func(f *filler, _ context.Context) (*world, error) {
		fills++
		return &world{Admin: "token", Beside: f.size.Clients}, broken
	}}
	get := func(want int) {
		t.Helper()
		data, w, err := s.filled(t.Context(), f)
		if err != nil || fills != want || w.Admin != "token" || w.Beside != s.size.Clients || data != filepath.Join(s.dir, "f", "data") {
			t.Errorf("filled %d times, want %d; %s, %+v, %v", fills, want, data, w, err)
		}
	}
	broken = errors.New("broken off")
	if _, _, err := s.filled(t.Context(), f); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	broken = nil
	get(2)
	get(2)
	s.size.Rounds++ // the content is the same
	get(2)
	s.size.Clients *= 2
	get(3)
}

// TestRunRefusesMistakes before anything is filled.
func TestRunRefusesMistakes(t *testing.T) {
	t.Parallel()
	bad := Small()
	bad.Rounds = 0
	for name, o := range map[string]Options{"size": {Size: bad}, "scenario": {Size: Small(), Only: []string{"x"}}} {
		o.Progress = io.Discard
		if rep, err := Run(t.Context(), o); err == nil || rep != nil {
			t.Errorf("%s: %+v, %v", name, rep, err)
		}
	}
}
