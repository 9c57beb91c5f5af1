package device

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// An acknowledgement says that the server has a mutation, but if a backup is
// put back before the device pulls again, the cursor it holds may be as good
// in the history that lost the mutation as in the one that had it. So an
// acknowledged mutation is settled only when a page up to the head shows it:
// its document is at its rev or later, with its values. If the page does not,
// because somebody has changed the same since, or the document is out of
// sight, or all is lost, the device sends it once more, which does no harm.

// mostDoubts bounds how often a mutation is sent once more, whatever a server
// answers.
const mostDoubts = 3

// shown are the entries that a page changes, once it has been applied to the
// copies: those that are lifted, settled, or to be sent once more.
func (o *outbox) shown(p *Page, copies *replica) ([]Entry, error) {
	put := make(map[Key]uint64, len(p.Put))
	for i := range p.Put {
		put[p.Put[i].Key] = p.Put[i].Rev
	}
	again := map[string]bool{} // groups of which a part is sent once more
	var out []Entry
	for _, e := range o.entries {
		complete := !p.More && p.Head >= e.Rev
		if e.Phase != Acknowledged || e.Settled || !complete && (e.Lifted || put[e.Mutation.Key()] < e.Rev) {
			continue
		}
		e.Lifted = true
		if complete {
			ok, err := copies.shows(&e)
			if err != nil {
				return nil, err
			}
			if e.Settled = ok || e.Doubts == mostDoubts; !e.Settled {
				e.Phase = Waiting
				e.Doubts++
				again[e.Mutation.Group] = true
			}
		}
		out = append(out, e)
	}
	delete(again, "")
	for i := range out {
		if e := &out[i]; again[e.Mutation.Group] {
			e.Phase, e.Settled = Waiting, false
		}
	}
	return out, nil
}

// shows says whether the copies leave no doubt that the server has a mutation.
func (r *replica) shows(e *Entry) (bool, error) {
	d, ok := r.docs[e.Mutation.Key()]
	if !ok || d.Rev < e.Rev || e.Mutation.Op == Delete {
		return false, nil
	}
	var f Fields
	if err := json.Unmarshal(d.Body, &f); err != nil {
		return false, fmt.Errorf("read %s: %w", d.Key, err)
	}
	for _, name := range e.Mutation.Unset {
		if _, there := f[name]; there {
			return false, nil
		}
	}
	set, err := plain(e.Mutation.Set)
	return err == nil && within(set, f), err
}

// plain gives values as they come off the wire.
func plain(f Fields) (out Fields, err error) {
	b, err := json.Marshal(f)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("read mutation: %w", err)
	}
	return out, nil
}

// within says whether all of set is in f: members of objects and elements of
// lists by id, whatever else is there.
func within(set, f Fields) bool {
	for name, v := range set {
		if !found(v, f[name]) {
			return false
		}
	}
	return true
}

func found(want, have any) bool {
	switch want := want.(type) {
	case Fields:
		inner, ok := have.(Fields)
		return ok && within(want, inner)
	case []any:
		list, _ := have.([]any)
		return reflect.DeepEqual(want, have) || elementsWithin(want, list)
	}
	return want == have
}

func elementsWithin(want, have []any) bool {
	at, ok := elements(have)
	_, all := elements(want)
	if !ok || !all {
		return false
	}
	for _, v := range want {
		e := v.(Fields)
		i, there := at[e["id"].(string)]
		if !there || !within(e, have[i].(Fields)) {
			return false
		}
	}
	return true
}
