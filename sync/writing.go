package sync

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

// request waits for the writer.
type request struct {
	ctx       context.Context
	actor     Actor
	presented uint64
	push      *PushRequest
	write     *Write
	save      bool // write a checkpoint
	day       bool // only see to it that the date is right
	found     map[uuid.UUID]*Outcome
	foundAt   uint64 // head before found was looked up
	answer    chan answer
}

type answer struct {
	push    *PushResponse
	written *Written
	err     error
}

// submit hands a request to the writer and waits for its answer.
func (m *machine) submit(ctx context.Context, r *request) (answer, error) {
	r.ctx, r.answer = ctx, make(chan answer, 1)
	select {
	case m.queue <- r:
	case <-m.stop:
		return answer{}, unavailable(ErrClosed)
	case <-ctx.Done():
		return answer{}, unavailable(context.Cause(ctx))
	}
	select {
	case a := <-r.answer:
		return a, a.err
	case <-m.stopped:
		select { // it may have been the last thing answered
		case a := <-r.answer:
			return a, a.err
		default:
			return answer{}, unavailable(ErrClosed)
		}
	case <-ctx.Done():
		return answer{}, unavailable(context.Cause(ctx))
	}
}

func unavailable(cause error) error {
	return fault.New(fault.Unavailable).After(time.Second).Because(cause)
}

const batchLimit = 256

// write is the workspace's one writer: it takes what waits, evaluates it in
// order on an overlay, appends it durably at once, publishes and answers.
func (m *machine) write() {
	defer close(m.stopped)
	var held []*request // left over from a batch that ended early
	for {
		batch := held
		if len(batch) == 0 {
			select {
			case r := <-m.queue:
				batch = append(batch, r)
			case <-m.stop:
				return
			}
		}
		for more := true; more && len(batch) < batchLimit; {
			select {
			case r := <-m.queue:
				batch = append(batch, r)
			default:
				more = false
			}
		}
		held = batch[m.serve(batch):]
	}
}

// serve answers requests from the front of the batch and tells how many.
func (m *machine) serve(batch []*request) int {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(batch[0].ctx), appendDeadline)
	defer cancel()
	var err error
	for range appendTries {
		var n int
		if err = m.ready(ctx); err == nil {
			n, err = m.tryBatch(ctx, batch)
		}
		if err == nil {
			return n
		}
		m.e.o.Logger.Warn("append failed", "workspace", m.name, "err", err)
		if !errors.Is(err, ErrConflict) {
			break // it may have happened: who asks again meets its outcome
		}
	}
	for _, r := range batch {
		r.answer <- answer{err: unavailable(err)}
	}
	return len(batch)
}

const (
	appendDeadline = 30 * time.Second
	appendTries    = 4
)

// ready brings the state to the store's head when it is not to be trusted,
// and the date to today.
func (m *machine) ready(ctx context.Context) error {
	if !m.trusted() {
		if err := m.catchUp(ctx); err != nil {
			return err
		}
	}
	if !m.dayOver() {
		return nil
	}
	day := m.e.o.Clock().In(m.st.location).Format(time.DateOnly)
	if day <= m.st.day {
		m.setDayEnd()
		return nil
	}
	if m.st.head.Number == 0 {
		return nil // the first commit sets it
	}
	if m.tenure.Load() == 0 {
		return errNotHeld
	}
	return m.mark(ctx, "calendar", "day", day)
}

// mark commits what the engine itself has to say: no document changes.
func (m *machine) mark(ctx context.Context, by, ref, day string) error {
	c := &Commit{Number: m.st.head.Number + 1, Prev: m.st.head.Hash, Nonce: uuid.New(), Day: day,
		At: laterOf(m.e.o.Clock(), m.st.head.At), Actor: System(by), Cause: Cause{Kind: "system", Ref: ref}}
	c.Seal()
	return m.commit(ctx, []*staged{{commit: c}})
}

func laterOf(now, before time.Time) time.Time {
	now = now.UTC().Truncate(time.Microsecond)
	if now.Before(before) {
		return before
	}
	return now
}

// tryBatch evaluates, appends, publishes and answers. An error means that
// nobody was answered and the batch is to be tried again.
func (m *machine) tryBatch(ctx context.Context, batch []*request) (int, error) {
	b := newBatch(m.e.o.Registry, writerBase{m.st, m.chain}, m.bodies, m.st.head, m.e.o.Clock())
	var done []*staged
	answers := make([]answer, 0, len(batch))
	for _, r := range batch {
		s, a := m.evaluate(r, b)
		answers = append(answers, a)
		if s != nil && s.commit != nil {
			done = append(done, s)
		}
		if s != nil && s.structural || r.save || b.full() {
			break
		}
	}
	if len(done) > 0 {
		if err := m.commit(ctx, done); err != nil {
			return 0, err
		}
	}
	for i := range answers {
		if batch[i].save {
			answers[i].err = m.saveCheckpoint(ctx)
		}
		batch[i].answer <- answers[i]
	}
	return len(answers), nil
}

// evaluate one request. Rules that panic fail it alone: a phone that sends the
// same again and again must not bring down all workspaces.
func (m *machine) evaluate(r *request, b *batch) (s *staged, a answer) {
	mark := b.over.mark()
	defer func() {
		if p := recover(); p != nil {
			b.over.rollback(mark)
			m.e.o.Logger.Error("rules panicked", "workspace", m.name, "panic", p, "stack", string(debug.Stack()))
			s, a = nil, answer{err: fault.New(fault.Internal).Because(fmt.Errorf("panic: %v", p))}
		}
	}()
	err := r.ctx.Err()
	if err == nil && !r.day && m.tenure.Load() == 0 {
		err = errNotHeld
	}
	if err != nil {
		return nil, answer{err: unavailable(err)}
	}
	k, err := m.knownTo(r)
	if err != nil {
		return nil, answer{err: unavailable(err)}
	}
	switch {
	case r.push != nil:
		s, err = b.push(r.ctx, r.actor, r.presented, r.push, k)
	case r.write != nil:
		s, err = b.write(r.ctx, r.actor, r.write, k)
	default:
		return nil, answer{}
	}
	if _, isFault := errors.AsType[*fault.Error](err); err != nil && !isFault {
		err = unavailable(err) // a failure of ours, which may pass
	}
	if err != nil {
		return nil, answer{err: err}
	}
	return s, answer{push: s.push, written: s.written}
}

// knownTo gives the outcomes a request may meet: those it found before it
// queued, and those of commits made since.
func (m *machine) knownTo(r *request) (known, error) {
	if m.e.o.Faults.ForgetOutcomes {
		return func(uuid.UUID) (*Outcome, bool) { return nil, false }, nil
	}
	if r.foundAt < m.recent.floor && (r.push != nil || r.write != nil) {
		var err error
		if r.found, err = m.outcomes(r.ctx, r.ids()); err != nil {
			return nil, err
		}
		r.foundAt = m.st.head.Number
	}
	return func(id uuid.UUID) (*Outcome, bool) {
		if o := m.recent.byID[id]; o != nil {
			return o, true
		}
		o := r.found[id]
		return o, o != nil
	}, nil
}

// ids of the mutations whose outcomes matter to the request.
func (r *request) ids() []uuid.UUID {
	if r.push == nil {
		if r.write != nil && r.write.Key != uuid.Nil {
			return []uuid.UUID{r.write.Key}
		}
		return nil
	}
	ids := make([]uuid.UUID, len(r.push.Mutations))
	for i := range r.push.Mutations {
		ids[i] = r.push.Mutations[i].ID
	}
	return ids
}

// outcomes reads from the store what became of mutations.
func (m *machine) outcomes(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Outcome, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	refs, err := m.e.o.Store.Outcomes(ctx, m.name, ids)
	if err != nil {
		return nil, fmt.Errorf("look up outcomes: %w", err)
	}
	found, head := map[uuid.UUID]*Outcome{}, m.head()
	for _, ref := range refs {
		if ref.Commit > head && m.e.o.Tenure != nil {
			m.doubt() // another node has gone on
		}
		if found[ref.ID] != nil {
			continue // in a commit that was read for another one
		}
		err := m.e.o.Store.Journal(ctx, m.name, ref.Commit, ref.Commit, func(c *Commit) error {
			for i := range c.Outcomes {
				found[c.Outcomes[i].ID] = &c.Outcomes[i]
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read outcome of %s: %w", ref.ID, err)
		}
		if found[ref.ID] == nil {
			return nil, fmt.Errorf("outcome of %s is not in commit %d: %w", ref.ID, ref.Commit, ErrDamaged)
		}
	}
	return found, nil
}

// commit appends what was staged and makes it the confirmed state. An error
// means that the state is to be loaded anew before anything else.
func (m *machine) commit(ctx context.Context, done []*staged) error {
	commits := make([]*Commit, len(done))
	for i, s := range done {
		commits[i] = s.commit
	}
	if m.e.o.Faults.ShowUnconfirmed {
		m.confirm(done)
	}
	if err := m.appendSurely(ctx, commits); err != nil {
		m.doubt()
		return err
	}
	if !m.e.o.Faults.ShowUnconfirmed {
		m.confirm(done)
	}
	for _, c := range commits {
		m.recent.add(c)
	}
	m.publish()
	return nil
}

// confirm makes what was staged part of the state that readers see.
func (m *machine) confirm(done []*staged) {
	m.mu.Lock()
	for _, s := range done {
		m.st.apply(s.commit, s.facts)
		m.chain.add(m.st.head)
	}
	m.mu.Unlock()
	m.keepBodies(done)
	m.setDayEnd()
}

// keepBodies puts what was just written into the cache: most of it is about to
// be read by whoever it concerns.
func (m *machine) keepBodies(done []*staged) {
	for _, s := range done {
		for i := range s.commit.Changes {
			if n, ok := m.st.lookup(s.commit.Changes[i].Key); ok {
				m.e.cache.put(m.bodies.number, n, &s.commit.Changes[i])
			}
		}
	}
}

// appendSurely repeats an append of unknown outcome until the store knows. A
// conflict, or no knowing, is an error.
func (m *machine) appendSurely(ctx context.Context, commits []*Commit) error {
	const tries = 8
	wait := 5 * time.Millisecond
	for i := 0; ; i++ {
		err := m.e.o.Store.Append(ctx, m.name, commits)
		m.e.failing.Store(err != nil && !errors.Is(err, ErrConflict))
		if err == nil || errors.Is(err, ErrConflict) || i == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-m.stop:
			return errors.Join(err, ErrClosed)
		case <-time.After(wait):
			wait *= 2
		}
	}
}

// publish tells streams and followers of the new head.
func (m *machine) publish() {
	m.streams.notify(m.st)
	m.announce()
}
