package sync

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

func (d *Digest) add(o Digest) { d.Count, d.Sum = d.Count+o.Count, d.Sum+o.Sum }
func (d *Digest) sub(o Digest) { d.Count, d.Sum = d.Count-o.Count, d.Sum-o.Sum }

// docDigest is the digest of document n as it is.
func (s *state) docDigest(n uint32) Digest { return digestOfVersion(s.key(n), s.docs[n].rev) }

// digestOfVersion is FNV-1a-64 over "kind/id@rev".
func digestOfVersion(k Key, rev uint64) Digest {
	h := fnvText(fnvOffset, k.Kind)
	h = fnvText(h, "/")
	h = fnvText(h, k.ID)
	h = fnvText(h, "@")
	var buf [20]byte
	for _, c := range strconv.AppendUint(buf[:0], rev, 10) {
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

func hex16(v uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	return hex.EncodeToString(b[:])
}

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
		if s.sets[h.set].size() > s.sets[largest].size() {
			largest = h.set
		}
	}
	sum = s.sets[largest].digest
	seen := map[uint32]struct{}{}
	for _, h := range p.sets {
		if h.set == largest {
			continue
		}
		for n := range s.sets[h.set].at {
			if _, again := seen[n]; again || s.sets[largest].member(n) != nil {
				continue
			}
			seen[n] = struct{}{}
			sum.add(s.scopes[n].digest)
		}
	}
	return sum
}
