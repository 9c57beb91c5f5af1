package web

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// maxExact is the greatest whole number that JSON's float64 holds exactly.
const maxExact = 1 << 53

// maxFaults is the number of faults that one answer explains: a body must not
// get an answer many times its size.
const maxFaults = 50

// object reads the members of a decoded JSON object by name and type, and
// gathers what is wrong with them. A member that is absent gives the zero
// value; use required to insist.
type object struct {
	path   string // of the object in the request, with a final dot; "" at the top
	fields map[string]any
	faults *[]fault.Field
}

// newObject reads v, which must be an object.
func newObject(v any) (object, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return object{}, fault.Invalid(fault.At("", fault.WrongType, "type", "object"))
	}
	return object{fields: m, faults: &[]fault.Field{}}, nil
}

// err is the fault of all that was wrong; nil if nothing was.
func (o object) err() error {
	if len(*o.faults) == 0 {
		return nil
	}
	return fault.Invalid(*o.faults...)
}

func (o object) wrong(name string, code fault.Code, args ...string) {
	if len(*o.faults) < maxFaults {
		*o.faults = append(*o.faults, fault.At(o.path+name, code, args...))
	}
}

// only refuses members of any other name.
func (o object) only(names ...string) {
	var strange []string
	for name := range o.fields {
		if !slices.Contains(names, name) {
			strange = append(strange, name)
		}
	}
	slices.Sort(strange)
	for _, name := range strange {
		o.wrong(name, fault.UnknownField)
	}
}

// required refuses the absence (or null) of the members.
func (o object) required(names ...string) {
	for _, name := range names {
		if o.fields[name] == nil {
			o.wrong(name, fault.Required)
		}
	}
}

// member is the value of a member as a T; typ names T in the fault.
func member[T any](o object, name, typ string) (value T, ok bool) {
	v := o.fields[name]
	if v == nil {
		return value, false
	}
	value, ok = v.(T)
	if !ok {
		o.wrong(name, fault.WrongType, "type", typ)
	}
	return value, ok
}

func (o object) text(name string) string {
	s, _ := member[string](o, name, "string")
	return s
}

// whole is a whole number that is not negative.
func (o object) whole(name string) uint64 {
	f, ok := member[float64](o, name, "integer")
	if !ok {
		return 0
	}
	if f < 0 || f > maxExact || f != math.Trunc(f) {
		o.wrong(name, fault.OutOfRange, "min", "0", "max", strconv.Itoa(maxExact))
		return 0
	}
	return uint64(f)
}

// moment is an RFC 3339 time; nil if absent.
func (o object) moment(name string) *time.Time {
	s, ok := member[string](o, name, "string")
	if !ok {
		return nil
	}
	t, ok := sync.ParseInstant(s)
	if !ok {
		o.wrong(name, fault.BadFormat, "type", "RFC 3339")
		return nil
	}
	return &t
}

// uuid reads a UUID in its usual form of 36 characters (RFC 9562).
func (o object) uuid(name string) uuid.UUID {
	s, ok := member[string](o, name, "string")
	if !ok {
		return uuid.Nil
	}
	id, err := uuid.Parse(s)
	if err != nil || len(s) != 36 || id == uuid.Nil {
		o.wrong(name, fault.BadFormat, "type", "UUID")
	}
	return id
}

func (o object) list(name string) []any {
	l, _ := member[[]any](o, name, "array")
	return l
}

func (o object) texts(name string) []string {
	var out []string
	for i, v := range o.list(name) {
		s, ok := v.(string)
		if !ok {
			o.wrong(name+"."+strconv.Itoa(i), fault.WrongType, "type", "string")
		}
		out = append(out, s)
	}
	return out
}

func (o object) object(name string) map[string]any {
	m, _ := member[map[string]any](o, name, "object")
	return m
}

// inner is the member object, read with the same faults; false if absent.
func (o object) inner(name string) (object, bool) {
	m, ok := member[map[string]any](o, name, "object")
	return object{o.path + name + ".", m, o.faults}, ok
}

// each reads the elements of an array of objects.
func (o object) each(name string, read func(object)) {
	for i, v := range o.list(name) {
		at := name + "." + strconv.Itoa(i)
		m, ok := v.(map[string]any)
		if !ok {
			o.wrong(at, fault.WrongType, "type", "object")
			continue
		}
		read(object{o.path + at + ".", m, o.faults})
	}
}
