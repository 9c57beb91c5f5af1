package sync

import (
	"math"
	"slices"
	"time"
)

// links are a document's facts in numbers. The state keeps them packed, since
// there are as many as documents.
type links struct {
	grants []grant
	unique []uint64
	refs   []uint32 // documents named, without repetition
	rare   *rare
	open   bool
}

// rare facts, of few documents.
type rare struct {
	principal *Principal
	profile   *Profile
	members   []string
	zone      string
}

// grant is a Grant in numbers. first and last are its days.
type grant struct {
	holders     []uint32
	scopes      []uint32
	of          []uint32 // documents whose scopes are granted
	start, end  int64    // Unix seconds; 0: none
	first, last int32
	always      bool
}

// compile turns facts into links, giving numbers to what they name. It is nil
// when there are none.
func (s *state) compile(f facts) *links {
	e := &f.edges
	l := &links{unique: f.unique, open: e.Open}
	for i := range e.Grants {
		if g, ok := s.compileGrant(&e.Grants[i]); ok {
			l.grants = append(l.grants, g)
		}
	}
	for _, keys := range [][]Key{e.Refs, e.Follows} {
		for _, k := range keys {
			l.refs = appendNew(l.refs, s.number(k))
		}
	}
	for i := range l.grants {
		for _, n := range l.grants[i].of {
			l.refs = appendNew(l.refs, n)
		}
	}
	if e.Principal != nil || e.Profile != nil || e.Members != nil || e.Zone != "" {
		l.rare = &rare{e.Principal, e.Profile, e.Members, e.Zone}
	}
	if l.grants == nil && l.unique == nil && l.refs == nil && l.rare == nil && !l.open {
		return nil
	}
	return l
}

func (s *state) compileGrant(g *Grant) (grant, bool) {
	out := grant{always: g.Always}
	if !g.Start.IsZero() {
		out.start = g.Start.Unix()
		out.end = out.start
		if g.End.After(g.Start) {
			out.end = g.End.Unix()
		}
		s.setDays(&out)
	}
	for _, id := range g.Principals {
		out.holders = appendNew(out.holders, s.holderNumber(principalHolder(id)))
	}
	for _, id := range g.Groups {
		out.holders = appendNew(out.holders, s.holderNumber(groupHolder(id)))
	}
	for _, name := range g.Scopes {
		out.scopes = appendNew(out.scopes, s.scopeNumber(name))
	}
	for _, k := range g.ScopesOf {
		out.of = appendNew(out.of, s.number(k))
	}
	return out, len(out.holders) > 0 && (out.always || out.start != 0)
}

// pack gives the links but the rare ones as bytes; "" for nil.
func (l *links) pack() string {
	if l == nil {
		return ""
	}
	w := writer{buf: make([]byte, 0, 64)}
	w.flag(l.open)
	w.uvarint(uint64(len(l.unique)))
	for _, h := range l.unique {
		w.fixed(h)
	}
	w.numbers(l.refs)
	w.uvarint(uint64(len(l.grants)))
	for i := range l.grants {
		g := &l.grants[i]
		w.flag(g.always)
		w.uvarint(uint64(g.start))
		w.uvarint(uint64(g.end))
		w.numbers(g.holders)
		w.numbers(g.scopes)
		w.numbers(g.of)
	}
	return string(w.buf)
}

// unpackLinks reads what pack wrote.
func unpackLinks(packed string) (*links, error) {
	r := &reader{buf: []byte(packed)}
	l := &links{open: r.flag()}
	if n := r.count(); n > 0 {
		l.unique = make([]uint64, n)
	}
	for i := range l.unique {
		l.unique[i] = r.fixed()
	}
	l.refs = r.numbers()
	if n := r.count(); n > 0 {
		l.grants = make([]grant, n)
	}
	for i := range l.grants {
		l.grants[i] = grant{always: r.flag(), start: int64(r.uvarint()), end: int64(r.uvarint()),
			holders: r.numbers(), scopes: r.numbers(), of: r.numbers()}
	}
	return l, r.end()
}

// linksOf a document, without the rare ones; empty ones if it has none.
func (s *state) linksOf(n uint32) *links {
	if s.docs[n].links == "" {
		return &links{}
	}
	l, _ := unpackLinks(s.docs[n].links) // it was packed here, or checked when loaded
	for i := range l.grants {
		s.setDays(&l.grants[i])
	}
	return l
}

// setDays puts the grant's days, in the workspace's zone.
func (s *state) setDays(g *grant) {
	g.first, g.last = math.MaxInt32, math.MinInt32
	if g.start != 0 {
		g.first = dayNumber(time.Unix(g.start, 0).In(s.location))
		g.last = dayNumber(time.Unix(g.end, 0).In(s.location))
	}
}

// byDays says whether one of the grants has days.
func (l *links) byDays() bool {
	return l != nil && slices.ContainsFunc(l.grants, func(g grant) bool { return g.start != 0 })
}

// dayNumber counts the days of t's date, in t's zone, from 1970-01-01.
func dayNumber(t time.Time) int32 {
	y, m, d := t.Date()
	return int32(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// parseDay gives the number of a date "2026-11-21"; 0 for none.
func parseDay(day string) int32 {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return 0
	}
	return dayNumber(t)
}

func appendNew(list []uint32, n uint32) []uint32 {
	if slices.Contains(list, n) {
		return list
	}
	return append(list, n)
}
