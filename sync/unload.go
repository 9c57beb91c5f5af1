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
	m := w.m
	idle := m != nil && m.users == 0 && w.e.o.IdleAfter > 0 && w.e.o.Clock().Sub(w.used) >= w.e.o.IdleAfter
	w.mu.Unlock()
	switch {
	case m == nil:
		return nil
	case idle && !(m.held() && m.behind()):
		return w.Evict(ctx)
	case !m.held():
		return nil // whoever holds it does
	}
	if m.behind() {
		m.announce() // to followers that waited for the tenure
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
	err := m.shut(ctx, true)
	if w.e.o.Evicted != nil {
		w.e.o.Evicted(w.name)
	}
	return err
}

// idle gives the machine if nobody uses it, and takes it out if told to.
func (w *Workspace) idle(take bool) *machine {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.m
	if m == nil || m.users > 0 {
		return nil
	}
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

// surrender takes the workspace out of memory, in use or not, since another
// node serves it from now on: streams end, so that devices look for it anew.
// Nothing is saved; who holds it now would only be disturbed.
func (w *Workspace) surrender(ctx context.Context) error {
	m := w.take()
	if m == nil {
		return nil
	}
	m.doubt() // for those who use it still
	m.streams.cutAll(errSurrendered)
	return m.shut(ctx, false)
}

// errSurrendered ends the streams of a workspace that has moved.
var errSurrendered = errors.New("another node serves the workspace")

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
	if save && m.held() {
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
