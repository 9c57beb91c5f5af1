package sync

import (
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

// keepConflicts makes a document of each conflict of the change, in the scope
// where the changed document is.
func (t *Tx) keepConflicts(ch *Change) error {
	for i := range ch.conflicts {
		c := &ch.conflicts[i]
		id := t.derived(fmt.Sprintf("%s/%s/%d", ch.Key, c.Field, i))
		fields := Fields{
			"docKind": ch.Key.Kind, "docId": ch.Key.ID, "field": c.Field,
			"kept": clone(c.Kept), "discarded": clone(c.Discarded),
			"level": c.Level, "reason": c.Reason, "resolved": false,
			"by": t.w.author(ch.At),
		}
		if c.Other.By != "" { // some rules know of no other change
			fields["other"] = map[string]any{"origin": c.Other.By, "at": timeText(c.Other.At)}
		}
		if err := t.w.keep(t, Key{kindConflict, id}, t.w.b.scopeOf(ch.Key), fields); err != nil {
			return err
		}
	}
	return nil
}

// author is who makes the request, as conflicts name him.
func (w *work) author(at time.Time) map[string]any {
	return map[string]any{"user": w.actor.User, "device": w.actor.Device, "name": w.actor.Name, "at": timeText(at)}
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// keep writes a document of the engine's own, once.
func (w *work) keep(t *Tx, key Key, scope string, fields Fields) error {
	if _, exists := w.b.find(key); exists {
		return nil
	}
	return w.b.put(t.ctx, &Document{
		Key: key, Rev: w.number, Scope: scope, CreatedAt: w.b.now, UpdatedAt: w.b.now, Fields: fields,
		Marks: Marks{"": {Rev: w.number, By: w.actor.Origin(), At: w.b.now, Office: w.role.Office()}},
	}, nil)
}

// rejectionLife is how long a refused mutation is kept.
const rejectionLife = 90 * 24 * time.Hour

// reject keeps a refused mutation, whole, with its reason.
func (t *Tx) reject(digest [16]byte, e *fault.Error) error {
	w, m := t.w, t.m
	id := uuid.NewSHA1(m.ID, append([]byte(kindRejection), digest[:]...)).String()
	at := w.b.now
	if m.At != nil {
		at = *m.At
	}
	return w.keep(t, Key{kindRejection, id}, ScopeOffice, Fields{
		"mutation": m.fields(), "code": string(e.Code), "detail": e.Detail("en"), "fieldErrors": fieldErrors(e),
		"userId": w.actor.User, "deviceId": w.actor.Device, "at": timeText(at), "receivedAt": timeText(w.b.now),
		"expiresAt": timeText(w.b.now.Add(rejectionLife)), "resolved": false,
	})
}

func fieldErrors(e *fault.Error) []any {
	out := make([]any, len(e.Fields))
	for i, f := range e.Fields {
		out[i] = map[string]any{"field": f.Field, "code": string(f.Code), "detail": f.Detail("en")}
	}
	return out
}

// fields gives the mutation as it came, as a JSON value.
func (m *Mutation) fields() Fields {
	f := Fields{"id": m.ID.String(), "kind": m.Kind, "docId": m.DocID, "op": string(m.Op)}
	if m.Base > 0 {
		f["base"] = float64(m.Base)
	}
	if m.Set != nil {
		f["set"] = m.Set
	}
	if m.Unset != nil {
		unset := make([]any, len(m.Unset))
		for i, name := range m.Unset {
			unset[i] = name
		}
		f["unset"] = unset
	}
	if m.At != nil {
		f["at"] = timeText(*m.At)
	}
	if m.Group != "" {
		f["group"] = m.Group
	}
	return f
}

// content appends what a repetition of the mutation must have the same: all
// but its id.
func (m *Mutation) content(dst []byte) ([]byte, error) {
	dst = appendString(append(dst, `{"kind":`...), m.Kind)
	dst = appendString(append(dst, `,"docId":`...), m.DocID)
	dst = appendString(append(dst, `,"op":`...), string(m.Op))
	dst = strconv.AppendUint(append(dst, `,"base":`...), m.Base, 10)
	dst, err := appendObject(append(dst, `,"set":`...), m.Set)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", m.Op, m.Key(), err)
	}
	dst = append(dst, `,"unset":[`...)
	for _, name := range m.Unset {
		dst = append(appendString(dst, name), ',')
	}
	dst = append(dst, `],"at":`...)
	if m.At != nil {
		dst = appendTime(dst, *m.At)
	}
	dst = appendString(append(dst, `,"group":`...), m.Group)
	return append(dst, '}'), nil
}
