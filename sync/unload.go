package sync

import (
	"context"
	"errors"
	"time"
)

// housekeep saves what is worth saving, and evicts the workspace when it has
// been idle for long enough.
func (w *Workspace) housekeep(ctx context.Context) error {
	w.mu.Lock()
	m, idle := w.m, w.users == 0 && w.e.o.IdleAfter > 0 && w.e.o.Clock().Sub(w.used) >= w.e.o.IdleAfter
	w.mu.Unlock()
	switch {
	case m == nil:
		return nil
	case idle && !m.behind():
		return w.Evict(ctx)
	}
	if err := m.saveNotes(ctx); err != nil {
		return err
	}
	if err := w.sweepDaily(ctx, m); err != nil {
		return err
	}
	if m.wantsCheckpoint() {
		_, err := m.submit(ctx, &request{save: true})
		return err
	}
	return nil
}

const checkpointAge = 10 * time.Minute

func (m *machine) wantsCheckpoint() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	since := m.st.head.Number - m.saved.Load()
	return since >= m.e.o.CheckpointEvery || since > 0 && m.e.o.Clock().Sub(time.Unix(m.savedAt.Load(), 0)) >= checkpointAge
}

// Evict takes an idle workspace out of memory; one in use stays.
func (w *Workspace) Evict(ctx context.Context) error {
	w.loading.Lock()
	defer w.loading.Unlock()
	m := w.idle(false)
	if m == nil {
		return nil
	}
	// Followers use the workspace themselves: they end while it still stands.
	m.unfollow()
	if w.idle(true) == nil {
		m.follow()
		return nil
	}
	return m.shut(ctx, true)
}

// idle gives the machine if nobody uses it, and takes it out if told to.
func (w *Workspace) idle(take bool) *machine {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.users > 0 {
		return nil
	}
	m := w.m
	if take {
		w.m = nil
	}
	return m
}

// unload is for the engine's close: in use or not.
func (w *Workspace) unload(ctx context.Context) error {
	m := w.take()
	if m == nil {
		return nil
	}
	return m.shut(ctx, true)
}

func (w *Workspace) abandon() {
	if m := w.take(); m != nil {
		_ = m.shut(context.Background(), false) // it saves nothing
	}
}

func (w *Workspace) take() *machine {
	w.loading.Lock()
	defer w.loading.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.m
	w.m = nil
	return m
}

// shut ends followers and writer, with or without saving checkpoint and notes.
func (m *machine) shut(ctx context.Context, save bool) error {
	m.unfollow()
	var errs []error
	if save {
		_, err := m.submit(ctx, &request{save: true})
		errs = append(errs, err, m.saveNotes(ctx))
	}
	close(m.stop)
	<-m.stopped
	return errors.Join(errs...)
}

func (m *machine) saveNotes(ctx context.Context) error {
	notes := m.presence.changed()
	if len(notes) == 0 {
		return nil
	}
	err := m.e.o.Store.SaveNotes(ctx, m.name, notes)
	if err != nil {
		m.presence.unsaved(notes)
	}
	return err
}
