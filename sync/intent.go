package sync

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
)

// intent is one change as asked for, checked as far as that goes without
// looking at documents.
type intent struct {
	kind         *Kind
	key          Key
	op           Op
	base         uint64
	set          Fields // null removes
	reason       string
	at, deviceAt time.Time
	byRules      bool
	ifMatch      uint64 // unless 0, the rev the document must have
}

// intend reads a mutation: kind, id, operation, whether the role may do it at
// all, which fields there are and what they hold. The error is a fault, or one
// of the store.
func (w *work) intend(ctx context.Context, m *Mutation) (*intent, error) {
	k := w.b.reg.Kind(m.Kind)
	if k == nil {
		return nil, fault.New(fault.UnknownKind, "kind", short(m.Kind))
	}
	if !validID(m.DocID) {
		return nil, fault.Invalid(fault.At("docId", fault.BadFormat, "type", idForm))
	}
	if err := w.allowed(k, m.Op); err != nil {
		return nil, err
	}
	in := &intent{kind: k, key: m.Key(), op: m.Op, base: m.Base, ifMatch: w.ifMatch}
	if !w.offline && m.Base == 0 {
		in.base = math.MaxUint64 // a console changes what is there now
	}
	if m.Op != Delete {
		if err := w.fields(in, m); err != nil {
			return nil, err
		}
	}
	return in, w.setTimes(ctx, in, m)
}

// allowed looks at what the role may do with the kind.
func (w *work) allowed(k *Kind, op Op) error {
	access := k.Access[w.role]
	var ok bool
	switch op {
	case Create:
		ok = access.Create
	case Update:
		ok = access.Update
	case Delete:
		ok = access.Delete
	default:
		return fault.Invalid(fault.At("op", fault.NotOneOf, "values", "create, update, delete"))
	}
	if !ok && !w.trusted {
		return fault.New(fault.Forbidden)
	}
	return nil
}

// fields takes over and checks what is set and removed.
func (w *work) fields(in *intent, m *Mutation) error {
	c := checker{trusted: w.trusted, role: w.role}
	in.set = m.Set
	if err := in.clear(m.Unset); err != nil {
		return err
	}
	if text, ok := in.set["reason"]; ok && in.kind.TakesReason() {
		in.set = maps.Clone(in.set) // it is the sender's
		delete(in.set, "reason")
		in.reason = c.reason(text)
	}
	c.members(in.kind.Fields, in.set, "", 1)
	return c.err()
}

// reason reads the word that comes with a transition; null is none.
func (c *checker) reason(v any) string {
	if v == nil {
		return ""
	}
	c.word(&Field{Type: LongText, Max: MaxReason}, "reason", v)
	text, _ := v.(string)
	return text
}

// MaxReason is the length of a transition's reason in characters.
const MaxReason = 2000

// TakesReason says whether "reason" in a mutation of the kind belongs to a
// transition rather than to a field.
func (k *Kind) TakesReason() bool {
	state := k.Field("state")
	return state != nil && state.Policy == ByRules && k.Field("reason") == nil
}

// clear adds removals to what is set: of fields, or of members of objects by
// their path.
func (in *intent) clear(unset []string) error {
	if len(unset) > maxEntries {
		return fault.Invalid(fault.At("unset", fault.TooMany, "max", "1000"))
	}
	if len(unset) > 0 {
		in.set = maps.Clone(in.set) // it is the sender's
	}
	if in.set == nil {
		in.set = Fields{}
	}
	for _, path := range unset {
		names := strings.Split(path, ".")
		if len(names) > maxDepth {
			return fault.Invalid(fault.At("unset", fault.UnknownField))
		}
		clearPath(in.set, names)
	}
	return nil
}

func clearPath(set map[string]any, names []string) {
	name := names[0]
	if len(names) == 1 {
		set[name] = nil
		return
	}
	inner, _ := set[name].(map[string]any)
	inner = maps.Clone(inner)
	if inner == nil {
		inner = map[string]any{}
	}
	set[name] = inner
	clearPath(inner, names[1:])
}

// asked splits what is set into values and removals, in order of their names.
func (in *intent) asked() (set Fields, unset []string) {
	for name, v := range in.set {
		if v == nil {
			unset = append(unset, name)
		}
	}
	if len(unset) == 0 {
		return in.set, nil
	}
	slices.Sort(unset)
	set = maps.Clone(in.set)
	for _, name := range unset {
		delete(set, name)
	}
	return set, unset
}

// setTimes corrects the device's clock by what it showed when the request was
// sent, and keeps the result between the commit the person was looking at and
// the receipt.
func (w *work) setTimes(ctx context.Context, in *intent, m *Mutation) error {
	received, sent := w.b.now, w.sent.UTC()
	if sent.IsZero() {
		sent = received
	}
	in.deviceAt = sent
	if m.At != nil {
		in.deviceAt = m.At.UTC()
	}
	in.at = in.deviceAt.Add(received.Sub(sent)).Truncate(time.Microsecond)
	if !in.at.Before(received) {
		in.at = received
		return nil
	}
	if !in.at.Before(w.b.confirmed.At) {
		return nil // later than any commit it can have seen
	}
	earliest, err := w.b.timeOf(ctx, min(m.Base, w.b.confirmed.Number))
	if err != nil {
		return err
	}
	if in.at.Before(earliest) {
		in.at = earliest.UTC()
	}
	return nil
}
