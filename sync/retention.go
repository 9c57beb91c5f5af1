package sync

import (
	"context"
	"fmt"
	"time"
)

// sweepBatch is how many documents one commit of a sweep removes at most.
const sweepBatch = 500

// Sweep removes the rejections that have been kept for as long as they must
// be, and tells how many. Their history stays. The engine does it once a day.
func (w *Workspace) Sweep(ctx context.Context) (removed int, err error) {
	kind := w.e.o.Registry.Kind(kindRejection)
	now, err := EntryFor(kind.Field("expiresAt"), "expiresAt", w.e.o.Clock().UTC().Format(time.RFC3339))
	if err != nil {
		return 0, fmt.Errorf("sweep: %w", err)
	}
	for {
		head, err := w.Head(ctx)
		if err != nil {
			return removed, err
		}
		due, err := w.e.o.Store.List(ctx, w.name, head.Number, Query{
			Kind: kindRejection, Limit: sweepBatch,
			Filters: []Filter{{Field: "expiresAt", Op: AtMost, Values: []Entry{now}}},
		})
		if err != nil || len(due.IDs) == 0 {
			return removed, err
		}
		var gone []Mutation
		for _, id := range due.IDs {
			gone = append(gone, Mutation{Kind: kindRejection, DocID: id, Op: Delete})
		}
		if _, err := w.Write(ctx, System("retention"), Write{Cause: Cause{Kind: "system", Ref: "retention"}, Mutations: gone}); err != nil {
			return removed, fmt.Errorf("sweep: %w", err)
		}
		removed += len(gone)
	}
}

// sweepDaily sweeps when the workspace's date has moved since the last time.
func (w *Workspace) sweepDaily(ctx context.Context, m *machine) error {
	var day string
	_ = m.view(func(st *state) error {
		day = st.day
		return nil
	})
	if day == m.swept {
		return nil
	}
	if _, err := w.Sweep(ctx); err != nil {
		return err
	}
	m.swept = day
	return nil
}
