package sync

import (
	"context"
	"errors"
	"fmt"
)

// trusted says whether the state may be answered from as it is: nobody else
// can have written since it was last compared with the store.
func (m *machine) trusted() bool {
	tenure := m.e.tenure(m.name)
	return tenure != 0 && tenure == m.tenure.Load() && m.settled.Load() == m.doubts.Load()
}

// held says whether this engine is the one that serves the workspace.
func (m *machine) held() bool { return m.e.tenure(m.name) != 0 }

// doubt makes the next answer wait for a look at the store's head.
func (m *machine) doubt() {
	if !m.e.o.Faults.NeverDoubt {
		m.doubts.Add(1)
	}
}

var (
	// errNotHeld: another node serves the workspace, or none for the moment.
	errNotHeld = errors.New("this node does not hold the workspace")
	// errOtherHistory: what the store has does not follow the state.
	errOtherHistory = errors.New("another history")
)

// catchUp brings the state to the store's head: by the commits that it lacks
// or, where they do not follow it, by loading it anew. Only the writer.
//
// A tenure that begins puts a commit of its own on top. So whatever the last
// holder appends later, not knowing that it is none any more, is a conflict;
// and what it appended before is seen from here on. After the conflict it asks
// where tenures are written, and hears that its own is over: it asks after it
// has read the head, so whoever put a commit there held the workspace earlier.
func (m *machine) catchUp(ctx context.Context) error {
	tenure, doubts := m.e.tenure(m.name), m.doubts.Load() // as of before the store is read
	head, err := m.e.o.Store.Head(ctx, m.name)
	if err != nil {
		return fmt.Errorf("read the head: %w", err)
	}
	before := m.st.head
	if err = m.advance(ctx, head); errors.Is(err, errOtherHistory) {
		err = m.reload(ctx)
	}
	if m.st.head != before {
		m.setDayEnd()
		m.publish() // what was appended by others, or without anybody knowing
		m.unconfirmed = true
	}
	if err != nil {
		return fmt.Errorf("catch up: %w", err)
	}
	m.settled.Store(doubts)
	if tenure, err = m.inTenure(ctx, tenure); err != nil {
		return fmt.Errorf("confirm the tenure: %w", err)
	}
	if tenure != m.tenure.Load() && tenure != 0 && m.st.head.Number > 0 && !m.e.o.Faults.SilentTenures {
		if err := m.mark(ctx, "node", "tenure", ""); err != nil {
			return fmt.Errorf("begin the tenure: %w", err)
		}
	}
	m.tenure.Store(tenure)
	return nil
}

// inTenure gives the tenure if it is not over, as far as anybody can know;
// else 0. What nobody could tell is not trusted.
func (m *machine) inTenure(ctx context.Context, tenure uint64) (uint64, error) {
	if m.e.o.Confirm == nil || tenure == 0 || tenure == m.tenure.Load() && !m.unconfirmed {
		return tenure, nil
	}
	now, err := m.e.o.Confirm(ctx, m.name)
	if err != nil {
		m.tenure.Store(0)
		return 0, err
	}
	m.unconfirmed = false
	if now != tenure {
		return 0, nil
	}
	return tenure, nil
}

// advance applies the commits up to the store's head.
func (m *machine) advance(ctx context.Context, head Head) error {
	if head.Number < m.st.head.Number || head.Number == m.st.head.Number && head.Hash != m.st.head.Hash {
		return errOtherHistory
	}
	if head.Number == m.st.head.Number {
		return nil
	}
	return m.e.o.Store.Journal(ctx, m.name, m.st.head.Number+1, head.Number, func(c *Commit) error {
		if !c.Follows(m.st.head) {
			return errOtherHistory
		}
		fs, err := m.e.o.Registry.factsOf(c)
		if err != nil {
			return err
		}
		m.mu.Lock()
		m.st.apply(c, fs)
		m.chain.add(m.st.head)
		m.mu.Unlock()
		m.recent.add(c)
		return nil
	})
}
