package mongo

import (
	"bytes"

	"github.com/enroute-field/enroute/sync"
)

// pending is what a process has appended to a history and rows of documents do
// not show yet: consecutive commits, and the newest version of each document
// in them.
type pending struct {
	commits []*sync.Commit
	newest  map[sync.Key]newest
	size    int // bytes, about
}

type newest struct {
	*sync.Version
	number uint64 // of its commit
}

// add commits. Where they do not follow what is there, or would take more than
// room, nothing is pending afterwards: false.
func (p *pending) add(commits []*sync.Commit, room int) bool {
	size := 0
	for _, c := range commits {
		size += bytesOf(c)
	}
	gap := len(p.commits) > 0 && p.commits[len(p.commits)-1].Number+1 != commits[0].Number
	if gap || size > room {
		*p = pending{}
	}
	if size > room {
		return false
	}
	if p.newest == nil {
		p.newest = map[sync.Key]newest{}
	}
	for _, c := range commits {
		for i := range c.Changes {
			p.newest[c.Changes[i].Key] = newest{&c.Changes[i], c.Number}
		}
	}
	p.commits, p.size = append(p.commits, commits...), p.size+size
	return true
}

// forget all up to a commit.
func (p *pending) forget(upto uint64) {
	n := 0
	for ; n < len(p.commits) && p.commits[n].Number <= upto; n++ {
		c := p.commits[n]
		p.size -= bytesOf(c)
		for i := range c.Changes {
			if k := c.Changes[i].Key; p.newest[k].number <= upto {
				delete(p.newest, k)
			}
		}
	}
	if p.commits = p.commits[n:]; len(p.commits) == 0 {
		*p = pending{}
	}
}

// find the versions of keys, and the keys that are not pending. The versions
// are the caller's.
func (p *pending) find(keys []sync.Key) (found []sync.Version, rest []sync.Key) {
	for _, k := range keys {
		v, ok := p.newest[k]
		if !ok {
			rest = append(rest, k)
			continue
		}
		own := *v.Version
		own.Rev = v.number
		own.Body, own.Marks = bytes.Clone(v.Body), bytes.Clone(v.Marks)
		found = append(found, own)
	}
	return found, rest
}

// from gives pending commits from number on; none when it is not pending.
func (p *pending) from(number uint64) []*sync.Commit {
	if len(p.commits) == 0 || number < p.commits[0].Number || number > p.commits[len(p.commits)-1].Number {
		return nil
	}
	return p.commits[number-p.commits[0].Number:]
}

// bytesOf a commit in memory, about.
func bytesOf(c *sync.Commit) int {
	n := 200
	for i := range c.Changes {
		n += sizeOf(&c.Changes[i])
	}
	return n
}

// first number that is pending.
func (p *pending) first() (uint64, bool) {
	if len(p.commits) == 0 {
		return 0, false
	}
	return p.commits[0].Number, true
}
