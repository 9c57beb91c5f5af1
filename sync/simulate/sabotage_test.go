package simulate_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/enroute-field/enroute/sync/simulate"
)

// kept is where histories are that failed once, and the shortest ones that
// show what each rule is for.
const kept = "testdata/histories"

// Without one of the rules that hold the whole together, some history shows
// it. SIMULATE_RENEW=1 keeps the shortest one of each anew.
func TestLeavingOutARuleIsNoticed(t *testing.T) {
	t.Parallel()
	for _, sabotage := range simulate.Sabotages() {
		t.Run(string(sabotage), func(t *testing.T) {
			t.Parallel()
			h := simulate.Hunt{First: 1, Seeds: 200, Steps: always(300), Nodes: sabotage.Nodes(), Dir: folder(t), Sabotage: sabotage}
			played, _, err := h.Run(t.Context())
			v, ok := errors.AsType[*simulate.Violation](err)
			if !ok {
				t.Fatalf("nobody noticed in %d histories: %v", played, err)
			}
			t.Logf("noticed by history %d: %v", played, v)
			if os.Getenv("SIMULATE_RENEW") != "" {
				keep(t, v, sabotage, kept)
			}
		})
	}
}

// Histories that failed once do so no more. One that was kept to show what a
// rule is for fails without that rule.
func TestKeptHistories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(kept + "/*.json")
	if err != nil || len(files) < len(simulate.Sabotages()) {
		t.Fatalf("%d histories are kept: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			c, err := simulate.LoadCase(file)
			if err != nil {
				t.Fatal(err)
			}
			if c.Sabotage != "" {
				needsItsRule(t, c)
			}
			c.Sabotage = ""
			v, err := c.Play(t.Context(), folder(t))
			if err != nil {
				t.Fatal(err)
			}
			if v != nil {
				t.Fatal(simulate.Explain(v))
			}
		})
	}
}

func needsItsRule(t *testing.T, c simulate.Case) {
	t.Helper()
	v, err := c.Play(t.Context(), folder(t))
	if err != nil {
		t.Fatal(err)
	}
	if v == nil || v.Property != c.Property {
		t.Fatalf("without %s it violates %v, not %s", c.Sabotage, v, c.Property)
	}
	t.Log(simulate.Explain(v))
}
