package sync

import (
	"fmt"
	"strconv"
)

func (d *Digest) add(o Digest) { d.Count, d.Sum = d.Count+o.Count, d.Sum+o.Sum }
func (d *Digest) sub(o Digest) { d.Count, d.Sum = d.Count-o.Count, d.Sum-o.Sum }

// digest of one document: FNV-1a-64 over "kind/id@rev".
func (d *doc) digest() Digest {
	h := fnvText(fnvOffset, d.kind)
	h = fnvText(h, "/")
	h = fnvText(h, d.id)
	h = fnvText(h, "@")
	var buf [20]byte
	for _, c := range strconv.AppendUint(buf[:0], d.rev, 10) {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return Digest{Count: 1, Sum: h}
}

// The constants of FNV-1a with 64 bits (RFC 9923).
const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

func fnvText(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return h
}

func hex16(v uint64) string { return fmt.Sprintf("%016x", v) }

// addDigest adds (sign 1) or takes away (-1) one document of a scope, in the
// scope's sum and in those of all sets that hold it.
func (s *state) addDigest(scopeNum uint32, d Digest, sign int) {
	change := (*Digest).add
	if sign < 0 {
		change = (*Digest).sub
	}
	sc := &s.scopes[scopeNum]
	change(&sc.digest, d)
	for _, set := range sc.in {
		change(&s.sets[set].digest, d)
	}
	if scopeNum != s.private {
		change(&s.total, d)
	}
}

// cachedDigest is a principal's digest as of a commit.
type cachedDigest struct {
	at  uint64
	sum Digest
}

// digestOf sums up the principal's view: his largest set whole, of the others
// what is not in a larger one.
func (s *state) digestOf(p *principal) Digest {
	at := s.lastChange(p)
	if c := p.digest.Load(); c != nil && c.at == at {
		return c.sum
	}
	sum := s.sumOf(p)
	p.digest.Store(&cachedDigest{at, sum})
	return sum
}

func (s *state) sumOf(p *principal) Digest {
	var sum Digest
	if len(p.sets) == 0 {
		return sum
	}
	largest := p.sets[0].set
	for _, h := range p.sets {
		if h.set == everythingSet {
			return s.total
		}
		if len(s.sets[h.set].members) > len(s.sets[largest].members) {
			largest = h.set
		}
	}
	sum = s.sets[largest].digest
	seen := map[uint32]struct{}{}
	for _, h := range p.sets {
		if h.set == largest {
			continue
		}
		for n := range s.sets[h.set].members {
			if _, again := seen[n]; again || s.sets[largest].members[n] != nil {
				continue
			}
			seen[n] = struct{}{}
			sum.add(s.scopes[n].digest)
		}
	}
	return sum
}
