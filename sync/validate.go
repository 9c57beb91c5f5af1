package sync

import (
	"slices"
	"strings"

	"github.com/enroute-field/enroute/internal/fault"
)

// Limits of what a document may hold.
const (
	maxID       = 64   // characters of an identifier
	maxEntries  = 1000 // of a list or an object
	maxDepth    = 16   // levels of nesting
	maxReported = 50   // faults named in one answer
	maxText     = 200
	maxLongText = 20_000
)

// Validate checks fields as they would be set on a document of the kind: that
// they exist, that values have their type and size, and, when creating, that
// nothing required is missing. A null stands for a removal. The error is a
// fault; who may set what is not looked at.
func (r *Registry) Validate(kind string, f Fields, creating bool) error {
	k := r.byName[kind]
	if k == nil {
		return fault.New(fault.UnknownKind, "kind", short(kind))
	}
	c := checker{trusted: true}
	c.members(k.Fields, f, "", 1)
	if creating {
		c.required(k.Fields, f, nil, "")
	}
	return c.err()
}

// checker gathers what is wrong with the fields of a mutation.
type checker struct {
	trusted bool // may set what is read-only or reserved to some roles
	role    Role
	barred  string // path of the first field that the role may not set
	faults  []fault.Field
}

func (c *checker) add(path string, code fault.Code, args ...string) {
	if len(c.faults) < maxReported {
		c.faults = append(c.faults, fault.At(path, code, args...))
	}
}

// err is the fault of all that was found; nil if nothing was.
func (c *checker) err() error {
	if c.barred != "" {
		return fault.New(fault.FieldNotAllowed, "field", c.barred)
	}
	if len(c.faults) > 0 {
		slices.SortFunc(c.faults, func(a, b fault.Field) int { return strings.Compare(a.Field, b.Field) })
		return fault.Invalid(c.faults...)
	}
	return nil
}

// members checks the values given to declared fields.
func (c *checker) members(declared []Field, set map[string]any, prefix string, depth int) {
	if len(set) > maxEntries {
		c.add(strings.TrimSuffix(prefix, "."), fault.TooMany, "max", "1000")
		return
	}
	for name, v := range set {
		path := prefix + name
		f := fieldOf(declared, name)
		if f == nil {
			c.add(short(path), fault.UnknownField)
			continue
		}
		c.settable(f, path)
		if v == nil {
			c.removable(f, path)
			continue
		}
		c.value(f, path, v, depth)
	}
}

// settable notes a field that is not this role's to set.
func (c *checker) settable(f *Field, path string) {
	switch {
	case c.trusted:
	case f.ReadOnly:
		c.add(path, fault.ReadOnly)
	case f.Writers != nil && !slices.Contains(f.Writers, c.role) && (c.barred == "" || path < c.barred):
		c.barred = path
	}
}

func (c *checker) removable(f *Field, path string) {
	if f.Required {
		c.add(path, fault.Required)
	}
}

// required notes what is missing from the fields of a new document. Fields
// left to the rules count as given when they were asked for.
func (c *checker) required(declared []Field, f, asked map[string]any, prefix string) {
	for i := range declared {
		name := declared[i].Name
		if declared[i].Required && f[name] == nil && asked[name] == nil && !c.reported(prefix+name) {
			c.add(prefix+name, fault.Required)
		}
	}
}

func (c *checker) reported(path string) bool {
	return slices.ContainsFunc(c.faults, func(f fault.Field) bool { return f.Field == path })
}

// fieldOf finds a declared field by name; nil if there is none.
func fieldOf(declared []Field, name string) *Field {
	for i := range declared {
		if declared[i].Name == name {
			return &declared[i]
		}
	}
	return nil
}

// validID says whether s may be an identifier: 1 to 64 of A-Z a-z 0-9 _ -.
func validID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// short cuts what a client sent to a length that an answer may repeat.
func short(s string) string {
	const most = 100
	if len(s) <= most {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(s[:most], "\uFFFD") + "…"
}
