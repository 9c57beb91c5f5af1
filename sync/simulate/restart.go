package simulate

import (
	"bytes"
	"context"
	"slices"

	"github.com/enroute-field/enroute/sync"
)

// checkRestart: what a cursor gives, and the state, are the same after a
// restart as before.
func (w *world) checkRestart(ctx context.Context) error {
	w.server.mend()
	n := w.server.holder()
	before, err := w.answers(ctx, n)
	if err != nil {
		return err
	}
	if err := w.read(ctx); err != nil { // they may have begun a day, and with it moved the horizon
		return err
	}
	hash, err := n.ws.StateHash(ctx)
	if err != nil {
		return err
	}
	if err := w.again(ctx, n); err != nil {
		return err
	}
	// Without the seat, for that would begin with a commit.
	defer n.tenure.Store(n.tenure.Swap(0))
	after, err := w.answers(ctx, n)
	if err != nil {
		return err
	}
	for i, p := range w.phones {
		if p.reached[p.dev.Condition().Cursor] >= w.horizon() && !bytes.Equal(before[i], after[i]) {
			return violated("restart", "%s is answered otherwise:\nbefore %s\nafter  %s", p.actor.Device, before[i], after[i])
		}
	}
	now, err := n.ws.StateHash(ctx)
	if err == nil && now != hash && w.horizon() <= 1 {
		err = violated("restart", "the state is another one")
	}
	return err
}

// again stops and starts the server, or lets the node crash.
func (w *world) again(ctx context.Context, n *node) error {
	if w.chance(50) {
		return n.crash(ctx)
	}
	return w.server.restart(ctx)
}

// answers are the pages that the devices' cursors give now.
func (w *world) answers(ctx context.Context, n *node) ([][]byte, error) {
	out := make([][]byte, len(w.phones))
	for i, p := range w.phones {
		page, err := n.ws.Pull(ctx, p.actor, p.dev.Condition().Cursor, p.limit)
		if err != nil {
			_ = w.refused("pull", asked{sole: true}, err)
			continue
		}
		if _, err := p.took(p.dev.Condition().Cursor, asked{known: w.model.head, sole: n == w.server.holder()}, page, p.limit); err != nil {
			return nil, err
		}
		slices.SortFunc(page.Put, bytes.Compare) // a preview has no order
		out[i] = page.AppendJSON(nil)
	}
	return out, nil
}

// checkStore compares everything in the store with its journal. It does not
// look at a sabotaged one: there the devices are to notice.
func (w *world) checkStore(ctx context.Context) error {
	if w.cfg.Sabotage != "" {
		return nil
	}
	v, err := sync.Verify(ctx, w.server.store(), w.server.registry, workspace)
	if err != nil {
		return err
	}
	if len(v.Problems) > 0 {
		return violated("store", "%v", v.Problems)
	}
	return nil
}
