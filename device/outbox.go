package device

import (
	"encoding/json"
	"slices"
	"time"
)

// Limits of one push, as the server sets them.
const (
	maxMutations = 1000
	maxPushBytes = 4<<20 - 1024 // room for the envelope
)

// keepAcknowledged is how long an acknowledged mutation is kept, to be sent
// again if the server is restored to a time before it.
const keepAcknowledged = 30 * 24 * time.Hour

// outbox is the device's mutations in the order they were made.
type outbox struct {
	entries []Entry // by Seq
	next    uint64
}

func newOutbox(entries map[uint64]Entry) outbox {
	o := outbox{next: 1}
	for _, e := range entries {
		o.entries = append(o.entries, e)
		o.next = max(o.next, e.Seq+1)
	}
	slices.SortFunc(o.entries, bySeq)
	return o
}

func bySeq(a, b Entry) int { return int(int64(a.Seq) - int64(b.Seq)) }

func (o *outbox) apply(b *Batch) {
	for _, e := range b.Save {
		i, found := slices.BinarySearchFunc(o.entries, e, bySeq)
		if found {
			o.entries[i] = e
		} else {
			o.entries = slices.Insert(o.entries, i, e)
		}
		o.next = max(o.next, e.Seq+1)
	}
	if len(b.Forget) > 0 {
		o.entries = slices.DeleteFunc(o.entries, func(e Entry) bool { return slices.Contains(b.Forget, e.Seq) })
	}
}

// waiting counts the mutations that have no answer.
func (o *outbox) waiting() int {
	n := 0
	for i := range o.entries {
		if o.entries[i].Phase == Waiting {
			n++
		}
	}
	return n
}

// acknowledged is the greatest rev that the server has acknowledged.
func (o *outbox) acknowledged() uint64 {
	var rev uint64
	for i := range o.entries {
		if e := &o.entries[i]; e.Phase == Acknowledged {
			rev = max(rev, e.Rev)
		}
	}
	return rev
}

// batch is the next push: waiting entries from the front, at most limit
// mutations unless a single group is longer, groups whole.
func (o *outbox) batch(limit int) []Entry {
	var out []Entry
	size := 0
	for _, unit := range o.units() {
		bytes := unitSize(unit)
		if len(out) > 0 && (len(out)+len(unit) > limit || size+bytes > maxPushBytes) {
			break
		}
		out, size = append(out, unit...), size+bytes
	}
	return out
}

// units are the waiting entries, those of one group together.
func (o *outbox) units() [][]Entry {
	var out [][]Entry
	group := ""
	for _, e := range o.entries {
		if e.Phase != Waiting {
			continue
		}
		if g := e.Mutation.Group; g != "" && g == group {
			out[len(out)-1] = append(out[len(out)-1], e)
		} else {
			out, group = append(out, []Entry{e}), g
		}
		if len(out) > maxMutations {
			break
		}
	}
	return out
}

func unitSize(unit []Entry) int {
	n := 0
	for i := range unit {
		b, err := json.Marshal(&unit[i].Mutation)
		if err != nil {
			return maxPushBytes // sent alone, so that its refusal concerns nobody else
		}
		n += len(b) + 1
	}
	return n
}

// expired are the acknowledged entries that need not be sent again any more.
func (o *outbox) expired(now time.Time) []uint64 {
	var out []uint64
	for i := range o.entries {
		e := &o.entries[i]
		if e.Phase == Acknowledged && e.Settled && now.Sub(e.Answered) > keepAcknowledged {
			out = append(out, e.Seq)
		}
	}
	return out
}

// again makes what was acknowledged waiting: the server no longer knows it.
func (o *outbox) again() []Entry {
	var out []Entry
	for _, e := range o.entries {
		if e.Phase == Acknowledged {
			e.Phase, e.Lifted, e.Settled, e.Rev, e.Answered = Waiting, false, false, 0, time.Time{}
			out = append(out, e)
		}
	}
	return out
}
