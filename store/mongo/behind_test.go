package mongo

import (
	"testing"

	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/sync"
)

// TestBehind: what is appended counts until lists show it.
func TestBehind(t *testing.T) {
	t.Parallel()
	waiting := newProgress()
	waiting.appended("h1", follow(sync.Head{}, 3))
	waiting.appended("h2", follow(sync.Head{}, 4))
	if n := waiting.behind(); n != 7 {
		t.Errorf("%d behind, want 7", n)
	}
	s := opened(t, mongotest.Database(t))
	head, _ := add(t, s, "w", sync.Head{}, 5)
	if _, err := s.List(t.Context(), "w", head.Number, sync.Query{Kind: "note", Limit: 1}); err != nil {
		t.Fatal(err)
	}
	if n := s.Behind(); n != 0 {
		t.Errorf("%d behind after a list under the head", n)
	}
}
