package device

import (
	"encoding/json"
	"fmt"
	"maps"
)

// lay gives the document as its person sees it: the server's copy under the
// changes that it does not show yet. ok is false if there is none.
func lay(d *Document, over []Mutation) (f Fields, ok bool, err error) {
	if d != nil {
		if err := json.Unmarshal(d.Body, &f); err != nil {
			return nil, false, fmt.Errorf("read %s: %w", d.Key, err)
		}
		ok = true
	}
	for i := range over {
		f, ok = layOne(f, ok, &over[i])
	}
	return f, ok, nil
}

func layOne(f Fields, ok bool, m *Mutation) (Fields, bool) {
	switch {
	case m.Op == Delete:
		return nil, false
	case m.Op == Create && !ok:
		f = Fields{"kind": m.Kind, "id": m.DocID}
	case !ok: // the document has left this device
		return nil, false
	}
	f = merge(f, m.Set)
	for _, name := range m.Unset {
		delete(f, name)
	}
	return f, true
}

// merge is the JSON merge patch of RFC 7396, but that lists of elements with
// an id are merged by it, as the server merges append-only fields.
func merge(old, set Fields) Fields {
	out := maps.Clone(old)
	if out == nil {
		out = Fields{}
	}
	for name, v := range set {
		switch v := v.(type) {
		case nil:
			delete(out, name)
		case Fields:
			before, _ := out[name].(Fields)
			out[name] = merge(before, v)
		case []any:
			out[name] = mergeList(out[name], v)
		default:
			out[name] = v
		}
	}
	return out
}

func mergeList(old any, set []any) any {
	before, _ := old.([]any)
	at, ok := elements(before)
	if _, all := elements(set); !ok || !all || len(set) == 0 {
		return set
	}
	out := append([]any(nil), before...)
	for _, v := range set {
		e := v.(Fields)
		id := e["id"].(string)
		i, known := at[id]
		if !known {
			at[id] = len(out)
			out = append(out, e)
			continue
		}
		out[i] = merge(out[i].(Fields), e)
	}
	return present(out)
}

// elements finds the place of each element by id; ok is false if one has none.
func elements(list []any) (at map[string]int, ok bool) {
	at = map[string]int{}
	for i, v := range list {
		e, _ := v.(Fields)
		id, _ := e["id"].(string)
		if id == "" {
			return nil, false
		}
		at[id] = i
	}
	return at, true
}

// present leaves out the elements that are marked as removed.
func present(list []any) []any {
	out := list[:0]
	for _, v := range list {
		if gone, _ := v.(Fields)["removed"].(bool); !gone {
			out = append(out, v)
		}
	}
	return out
}
