package sync

import (
	"fmt"
	"sort"
)

// Kind is what a domain registers for one kind of document: its fields, where
// it lives, who may do what, and its rules.
type Kind struct {
	Name   string // camelCase, as on the wire
	Plural string // kebab-case, as in paths; "" keeps it off the REST side
	Fields []Field

	// Scope names the scope of a document with this id and these fields. r
	// looks at other documents, for scopes that derive from them.
	Scope func(r Reader, id string, f Fields) (string, error)
	// Edges of a document; nil means none.
	Edges func(id string, f Fields) Edges
	// Unique lists the values that no two live documents of the kind share.
	Unique []Unique
	// Access says per role what may be done at all; a role that is absent may
	// only read. RoleSystem may everything.
	Access map[Role]Access
	// Permit refines Access with what only the documents tell, for push and
	// REST alike; nil permits. It returns a fault.
	Permit func(tx Reader, ch *Change) error
	// Rules runs on a change after merging, before it is stored. It may set
	// fields of ch.New, add conflicts, change other documents through tx, and
	// refuse with a fault. It runs again, on fresh state, if the append fails.
	Rules func(tx *Tx, ch *Change) error
	// DisabledField names a boolean field that hides a document from lists
	// unless asked for, and that is set when a deleted one is revived.
	DisabledField string
}

// Access is what a role may do with documents of a kind.
type Access struct{ Create, Update, Delete bool }

// Unique is a value that no two live documents of a kind share. The error of
// a clash carries Code, with the arguments "field" and "other".
type Unique struct {
	Field string
	Fold  func(string) string // nil: as it is; "" is no value
	Code  string
}

// Field declares one field of a kind.
type Field struct {
	Name     string
	Type     Type
	Required bool     // at creation, and it cannot be unset after
	ReadOnly bool     // only rules and the system set it
	Writers  []Role   // who may set it; nil: whoever may change the document
	Refs     string   // for Reference and References: the kind referred to
	Enum     []string // for Choice and Choices
	Members  []Field  // for Object and Elements; nil: any
	Default  any      // written into the document at creation
	Policy   Policy
	Filter   bool // may be filtered and sorted by in lists
	Search   bool // its words are found by q
	Max      int  // characters of a text; 0: 200 for Text, 20,000 for LongText
	Min      *float64
	Limit    *float64 // greatest number
}

// Type is the type of a field's value.
type Type int

// The types, with their form on the wire.
const (
	Text       Type = iota // string on one line
	LongText               // string
	Integer                // whole number
	Number                 // number
	Boolean                // true, false
	Date                   // "2026-11-21"
	DateTime               // RFC 3339 with offset
	Duration               // ISO 8601, "PT90M"
	Choice                 // one of Enum
	Choices                // list of such
	Reference              // id of a document of the kind Refs
	References             // list of such, a set
	Texts                  // list of strings
	Phone                  // as typed; <name>E164 is set by rules
	Email                  // address
	URL                    // http or https
	Language               // BCP 47
	TimeZone               // IANA name
	Position               // {"lat","lng","accuracy","source","pinned"}
	Object                 // merged inside by member (RFC 7396)
	Elements               // append-only list of objects with "id"
	Any                    // any JSON, one value
)

// Policy says what happens when both sides changed a field.
type Policy int

// The policies.
const (
	Latest   Policy = iota // the later corrected device time shows
	Office                 // the value of an office role shows
	Appended               // elements are added and merged by id; never conflicts
	ByRules                // the kind's Rules decide (Change.Asked)
	Pinned                 // a position pinned by a person beats another; newest pin wins
)

// Registry is the set of kinds of a program, in order of registration.
type Registry struct {
	kinds  []*Kind
	byName map[string]*Kind
}

// NewRegistry checks the kinds and makes a registry of them.
func NewRegistry(kinds ...*Kind) (*Registry, error) {
	r := &Registry{byName: map[string]*Kind{}}
	for _, k := range append(engineKinds(), kinds...) {
		if k.Name == "" || k.Scope == nil {
			return nil, fmt.Errorf("kind %q: needs a name and a scope", k.Name)
		}
		if r.byName[k.Name] != nil {
			return nil, fmt.Errorf("kind %q is registered twice", k.Name)
		}
		r.kinds = append(r.kinds, k)
		r.byName[k.Name] = k
	}
	return r, r.checkRefs()
}

func (r *Registry) checkRefs() error {
	for _, k := range r.kinds {
		for _, f := range k.Fields {
			if reserved[f.Name] {
				return fmt.Errorf("kind %s: field %s is reserved", k.Name, f.Name)
			}
			if (f.Type == Reference || f.Type == References) && r.byName[f.Refs] == nil {
				return fmt.Errorf("kind %s: field %s refers to unknown kind %q", k.Name, f.Name, f.Refs)
			}
		}
	}
	return nil
}

// Kind finds a kind by name; nil if there is none.
func (r *Registry) Kind(name string) *Kind { return r.byName[name] }

// Kinds are all kinds, sorted by name.
func (r *Registry) Kinds() []*Kind {
	out := append([]*Kind(nil), r.kinds...)
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Field finds a field by name; nil if there is none.
func (k *Kind) Field(name string) *Field {
	for i := range k.Fields {
		if k.Fields[i].Name == name {
			return &k.Fields[i]
		}
	}
	return nil
}
