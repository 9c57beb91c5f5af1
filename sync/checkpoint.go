package sync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"
)

// A checkpoint is the state in binary form. Loading it and replaying the
// commits after it gives what replaying all of them gives, but for history
// before the horizon. It ends in the SHA-256 of what comes before, so that one
// that was damaged on disk is not taken for a state. checkpointFormat is raised
// whenever the form, or the facts that kinds compute, change: older ones are
// then ignored.
const checkpointFormat = 2

// errOtherVersion is of a checkpoint that another version of the program, or
// one with other kinds, has written: not damaged, but of no use.
var errOtherVersion = errors.New("checkpoint of another version")

const chunkSize = 1 << 20

// fromCheckpoint loads the newest checkpoint; without a usable one the state
// is empty.
func (e *Engine) fromCheckpoint(ctx context.Context, name string) (*state, error) {
	empty := newState(e.o.Registry, e.o.Faults)
	head, chunks, err := e.o.Store.LoadCheckpoint(ctx, name)
	switch {
	case errors.Is(err, ErrMissing):
		return empty, nil
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("load checkpoint: %w", err)
	case err != nil:
		e.o.Logger.Warn("checkpoint cannot be read; replaying the journal", "workspace", name, "err", err)
		return empty, nil
	}
	st := newState(e.o.Registry, e.o.Faults)
	if err := st.decode(slices.Concat(chunks...)); err != nil || st.head.Hash != head.Hash || st.head.Number != head.Number {
		e.o.Logger.Warn("checkpoint is not usable; replaying the journal", "workspace", name, "err", err)
		return empty, nil
	}
	same, err := e.isOurs(ctx, name, head)
	if err != nil || !same {
		return empty, err
	}
	return st, nil
}

// isOurs says whether the journal holds the commit the checkpoint was made at.
// A journal that ends before it has lost what was acknowledged, and would be
// gone on with as if that had never been: ErrDamaged.
func (e *Engine) isOurs(ctx context.Context, name string, head Head) (same bool, err error) {
	newest, err := e.o.Store.Head(ctx, name)
	if err == nil && newest.Number < head.Number {
		err = fmt.Errorf("the journal ends at commit %d, its checkpoint is of %d: %w", newest.Number, head.Number, ErrDamaged)
	}
	if err != nil {
		return false, fmt.Errorf("check checkpoint: %w", err)
	}
	err = e.o.Store.Journal(ctx, name, head.Number, head.Number, func(c *Commit) error {
		same = c.Hash == head.Hash
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("check checkpoint: %w", err)
	}
	return same, nil
}

// saveCheckpoint writes the state. Only the writer.
func (m *machine) saveCheckpoint(ctx context.Context) error {
	if m.st.head.Number == m.saved.Load() || m.st.head.Number == 0 {
		return nil
	}
	if err := m.forgetOld(ctx); err != nil {
		return err
	}
	buf := m.st.encode()
	var chunks [][]byte
	for len(buf) > 0 {
		n := min(chunkSize, len(buf))
		chunks = append(chunks, buf[:n])
		buf = buf[n:]
	}
	if err := m.e.o.Store.SaveCheckpoint(ctx, m.name, m.st.head, chunks); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	m.saved.Store(m.st.head.Number)
	m.savedAt.Store(m.e.o.Clock().Unix())
	return nil
}

// forgetOld moves the horizon up to the commits that are old enough.
func (m *machine) forgetOld(ctx context.Context) error {
	limit := m.e.o.Clock().Add(-m.e.o.Horizon)
	var failed error
	old := sort.Search(int(m.st.head.Number-m.st.horizon), func(i int) bool {
		l, err := m.chain.at(ctx, m.st.horizon+uint64(i)+1)
		if err != nil {
			failed = err
		}
		return l.at.After(limit)
	})
	if failed != nil {
		return fmt.Errorf("find horizon: %w", failed)
	}
	if old == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.st.forget(m.st.horizon + uint64(old))
	return nil
}

// forget what is only needed for cursors before the horizon.
func (s *state) forget(horizon uint64) {
	s.horizon = horizon
	ended := func(sp span) bool { return sp.to <= horizon }
	for _, st := range s.sets {
		st.lost = slices.DeleteFunc(st.lost, func(l loss) bool { return l.rev <= horizon })
		for n, spans := range st.past {
			if spans = slices.DeleteFunc(spans, ended); len(spans) == 0 {
				delete(st.past, n)
			} else {
				st.past[n] = spans
			}
		}
	}
	for _, p := range s.principals {
		p.past = slices.DeleteFunc(p.past, func(h pastHolding) bool { return ended(h.span) })
	}
	for n, gone := range s.gone {
		s.setGone(n, slices.DeleteFunc(gone, func(g departure) bool { return g.rev <= horizon }))
	}
}

// hash of the whole state, in a form that does not depend on how it came about.
func (s *state) hash() Hash { return sha256.Sum256(s.encode()) }

func (s *state) encode() []byte {
	w := &writer{}
	w.uvarint(checkpointFormat)
	w.text(s.reg.Version())
	w.uvarint(s.head.Number)
	w.raw(s.head.Hash[:])
	w.uvarint(uint64(s.head.At.UnixMicro()))
	w.uvarint(s.horizon)
	w.bytes(s.secret)
	w.text(s.day)
	w.text(s.location.String())
	w.uvarint(s.changed)
	s.encodeScopes(w)
	s.encodeDocs(w)
	s.encodeSets(w)
	s.encodePrincipals(w)
	sum := sha256.Sum256(w.buf)
	w.raw(sum[:])
	return w.buf
}

// withoutSum takes the sum off a checkpoint and says whether it is right.
func withoutSum(buf []byte) (content []byte, whole bool) {
	n := max(len(buf)-sha256.Size, 0)
	sum := sha256.Sum256(buf[:n])
	return buf[:n], bytes.Equal(buf[n:], sum[:])
}

func (s *state) decode(buf []byte) error {
	content, whole := withoutSum(buf)
	r := &reader{buf: content}
	if r.uvarint() != checkpointFormat || r.text() != s.reg.Version() {
		return errOtherVersion
	}
	if !whole {
		return ErrDamaged
	}
	s.head.Number = r.uvarint()
	copy(s.head.Hash[:], r.raw(len(s.head.Hash)))
	s.head.At = time.UnixMicro(int64(r.uvarint())).UTC()
	s.horizon = r.uvarint()
	s.secret = slices.Clone(r.bytes())
	s.day = r.text()
	s.dayNum = parseDay(s.day)
	var err error
	if s.location, err = time.LoadLocation(r.text()); err != nil {
		return fmt.Errorf("time zone: %w", err)
	}
	s.changed = r.uvarint()
	s.decodeScopes(r)
	s.decodeDocs(r)
	s.decodeSets(r)
	s.decodePrincipals(r)
	if err := r.end(); err != nil {
		return err
	}
	return s.rebuild()
}

func (s *state) encodeScopes(w *writer) {
	w.uvarint(uint64(len(s.scopes)))
	for i := range s.scopes {
		sc := &s.scopes[i]
		w.text(sc.name)
		w.uvarint(sc.changed)
		gone := s.gone[uint32(i)]
		w.uvarint(uint64(len(gone)))
		for _, g := range gone {
			w.uvarint(uint64(g.doc))
			w.uvarint(g.rev)
		}
	}
}

func (s *state) decodeScopes(r *reader) {
	count := r.count()
	s.scopes, s.byName = make([]scope, 0, count), newHashed(count)
	for range count {
		n := s.addScope(r.text())
		s.scopes[n].changed = r.uvarint()
		gone := make([]departure, r.count())
		for j := range gone {
			gone[j] = departure{uint32(r.uvarint()), r.uvarint()}
		}
		s.setGone(n, gone)
	}
}

func (s *state) encodeDocs(w *writer) {
	w.uvarint(uint64(len(s.holders)))
	for i := range s.holders {
		w.text(s.holders[i].name)
	}
	w.uvarint(uint64(len(s.docs)))
	for i := range s.docs {
		d := &s.docs[i]
		w.text(s.kinds[d.kind])
		w.text(d.id)
		w.uvarint(d.rev)
		if d.rev == 0 {
			continue
		}
		w.flag(d.deleted)
		w.uvarint(uint64(d.scope))
		w.text(d.links)
	}
	w.uvarint(uint64(len(s.rare)))
	for _, n := range slices.Sorted(maps.Keys(s.rare)) {
		x := s.rare[n]
		w.uvarint(uint64(n))
		text, _ := json.Marshal(rareJSON{x.principal, x.profile, x.members, x.zone}) // plain data
		w.bytes(text)
	}
}

func (s *state) decodeDocs(r *reader) {
	for range r.count() {
		s.holderNumber(r.text())
	}
	count := r.count()
	s.docs, s.byKey = make([]doc, 0, count), newHashed(count)
	for range count {
		n := s.number(Key{r.text(), r.text()})
		d := &s.docs[n]
		if d.rev = r.uvarint(); d.rev == 0 {
			continue
		}
		d.deleted = r.flag()
		d.scope = uint32(r.uvarint())
		d.links = r.text()
	}
	for range r.count() {
		n := uint32(r.uvarint())
		var x rareJSON
		if json.Unmarshal(r.bytes(), &x) != nil {
			r.fail()
		}
		s.rare[n] = rare{x.Principal, x.Profile, x.Members, x.Zone}
	}
}

// rareJSON is how rare facts stand in a checkpoint.
type rareJSON struct {
	Principal *Principal `json:"p,omitempty"`
	Profile   *Profile   `json:"f,omitempty"`
	Members   []string   `json:"m,omitempty"`
	Zone      string     `json:"z,omitempty"`
}

func (w *writer) numbers(list []uint32) {
	w.uvarint(uint64(len(list)))
	for _, n := range list {
		w.uvarint(uint64(n))
	}
}

func (r *reader) numbers() []uint32 {
	var out []uint32
	if n := r.count(); n > 0 {
		out = make([]uint32, n)
	}
	for i := range out {
		out[i] = uint32(r.uvarint())
	}
	return out
}

func (s *state) encodeSets(w *writer) {
	for i := range s.holders {
		w.uvarint(uint64(s.holders[i].always))
		w.numbers(s.holders[i].windows)
	}
	w.uvarint(uint64(len(s.sets)))
	for _, st := range s.sets {
		w.uvarint(uint64(st.holder))
		w.flag(st.window.on)
		w.uvarint(uint64(st.window.past))
		w.uvarint(uint64(st.window.future))
		w.uvarint(st.changed)
		w.uvarint(uint64(st.size()))
		for _, n := range slices.Sorted(maps.Keys(st.at)) {
			mb := st.member(n)
			w.uvarint(uint64(n))
			w.uvarint(uint64(mb.paths))
			w.uvarint(mb.since)
			w.uvarint(mb.touched)
		}
		w.uvarint(uint64(len(st.lost)))
		for _, l := range st.lost {
			w.uvarint(l.rev)
			w.uvarint(uint64(l.scope))
		}
		w.uvarint(uint64(len(st.past)))
		for _, n := range slices.Sorted(maps.Keys(st.past)) {
			w.uvarint(uint64(n))
			w.spans(st.past[n])
		}
	}
}

func (s *state) decodeSets(r *reader) {
	for i := range s.holders {
		s.holders[i].always = uint32(r.uvarint())
		s.holders[i].windows = r.numbers()
	}
	s.sets = make([]*set, r.count())
	for i := range s.sets {
		st := newSet(uint32(r.uvarint()), window{r.flag(), int32(r.uvarint()), int32(r.uvarint())})
		st.changed = r.uvarint()
		st.members = make([]member, r.count())
		for j := range st.members {
			st.members[j] = member{scope: uint32(r.uvarint()), paths: int32(r.uvarint()), since: r.uvarint(), touched: r.uvarint()}
		}
		for range r.count() {
			st.lost = append(st.lost, loss{r.uvarint(), uint32(r.uvarint())})
		}
		for range r.count() {
			n := uint32(r.uvarint())
			st.past[n] = r.spans()
		}
		s.sets[i] = st
	}
}

func (w *writer) spans(list []span) {
	w.uvarint(uint64(len(list)))
	for _, sp := range list {
		w.span(sp)
	}
}

func (w *writer) span(sp span) {
	w.uvarint(sp.from)
	w.uvarint(sp.to)
	w.uvarint(uint64(sp.ended))
}

func (r *reader) span() span { return span{r.uvarint(), r.uvarint(), int64(r.uvarint())} }

func (r *reader) spans() []span {
	out := make([]span, r.count())
	for i := range out {
		out[i] = r.span()
	}
	return out
}

func (s *state) encodePrincipals(w *writer) {
	w.uvarint(uint64(len(s.principals)))
	for _, id := range slices.Sorted(maps.Keys(s.principals)) {
		p := s.principals[id]
		w.text(id)
		w.uvarint(p.changed)
		w.uvarint(uint64(len(p.sets)))
		for _, h := range p.sets {
			w.uvarint(uint64(h.set))
			w.uvarint(h.since)
		}
		w.uvarint(uint64(len(p.past)))
		for _, h := range p.past {
			w.uvarint(uint64(h.set))
			w.span(h.span)
		}
	}
}

func (s *state) decodePrincipals(r *reader) {
	for range r.count() {
		p := &principal{id: r.text(), changed: r.uvarint()}
		for range r.count() {
			p.sets = append(p.sets, holding{uint32(r.uvarint()), r.uvarint()})
		}
		for range r.count() {
			p.past = append(p.past, pastHolding{uint32(r.uvarint()), r.span()})
		}
		s.principals[p.id] = p
	}
}

// rebuild makes what follows from the rest: orders, digests and indexes.
func (s *state) rebuild() error {
	s.private = s.scopeNumber(ScopePrivate)
	byRev := make([]uint32, 0, len(s.docs))
	for n := range s.docs {
		if s.live(uint32(n)) {
			byRev = append(byRev, uint32(n))
		}
	}
	slices.SortFunc(byRev, func(a, b uint32) int { return compare(s.docs[a].rev, s.docs[b].rev, a, b) })
	for _, n := range byRev {
		s.scopes[s.docs[n].scope].docs.push(n, s.docLink)
	}
	byChange := make([]uint32, 0, len(s.scopes))
	for n := range s.scopes {
		if s.scopes[n].changed > 0 && uint32(n) != s.private {
			byChange = append(byChange, uint32(n))
		}
	}
	slices.SortFunc(byChange, func(a, b uint32) int { return compare(s.scopes[a].changed, s.scopes[b].changed, a, b) })
	for _, n := range byChange {
		s.order.push(n, s.scopeLink)
	}
	for n, st := range s.sets {
		st.relist()
		for sc := range st.at {
			s.scopes[sc].in = append(s.scopes[sc].in, uint32(n))
		}
	}
	if err := s.relinkAll(); err != nil {
		return err
	}
	for _, n := range byRev {
		s.addDigest(s.docs[n].scope, s.docDigest(n), 1)
	}
	return nil
}

func (s *state) relinkAll() error {
	for n := range s.docs {
		if s.docs[n].links == "" {
			continue
		}
		l, err := unpackLinks(s.docs[n].links)
		if err != nil {
			return err
		}
		if r, ok := s.rare[uint32(n)]; ok {
			l.rare = &r
		}
		s.relink(uint32(n), l)
	}
	return nil
}

// relist puts the members in the order in which they were touched.
func (st *set) relist() {
	members := st.members
	slices.SortFunc(members, func(a, b member) int { return compare(a.touched, b.touched, a.scope, b.scope) })
	st.members, st.at = make([]member, 0, len(members)), make(map[uint32]uint32, len(members))
	for _, mb := range members {
		st.add(mb)
	}
}

func compare(a, b uint64, x, y uint32) int {
	switch {
	case a < b || a == b && x < y:
		return -1
	case a == b && x == y:
		return 0
	}
	return 1
}
