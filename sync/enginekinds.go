package sync

import "errors"

// The kinds that the engine itself keeps.
const (
	kindConflict  = "conflict"
	kindRejection = "rejection"
	kindCounter   = "counter"
)

func engineKind(name string) bool {
	return name == kindConflict || name == kindRejection || name == kindCounter
}

func engineKinds() []*Kind { return []*Kind{conflictKind(), rejectionKind(), counterKind()} }

// settle is what office roles may do with conflicts and rejections: mark them
// as resolved, which is the only field that is not read-only.
func settle() map[Role]Access {
	return map[Role]Access{RoleAdmin: {Update: true}, RoleDispatcher: {Update: true}}
}

// conflictKind keeps the value that lost when two sides changed the same
// field. It lives where its document lives.
func conflictKind() *Kind {
	return &Kind{
		Name: kindConflict, Plural: "conflicts", Access: settle(),
		Fields: []Field{
			{Name: "docKind", Type: Text, ReadOnly: true, Filter: true},
			{Name: "docId", Type: Text, ReadOnly: true, Filter: true},
			{Name: "field", Type: Text, ReadOnly: true, Filter: true},
			{Name: "kept", Type: Any, ReadOnly: true},
			{Name: "discarded", Type: Any, ReadOnly: true},
			{Name: "level", Type: Choice, Enum: []string{LevelInfo, LevelDecide}, ReadOnly: true, Filter: true},
			{Name: "reason", Type: Text, ReadOnly: true, Filter: true},
			{Name: "by", Type: Any, ReadOnly: true},
			{Name: "other", Type: Any, ReadOnly: true},
			{Name: "resolved", Type: Boolean, Default: false, Filter: true},
		},
		Scope: func(r Reader, _ string, f Fields) (string, error) {
			doc, err := r.Get(conflictOf(f))
			if errors.Is(err, ErrMissing) {
				return ScopeOffice, nil // its document is gone
			}
			if err != nil {
				return "", err
			}
			return doc.Scope, nil
		},
		Edges: func(_ string, f Fields) Edges { return Edges{Follows: []Key{conflictOf(f)}} },
	}
}

// conflictOf is the document that a conflict is about.
func conflictOf(f Fields) Key {
	kind, _ := f["docKind"].(string)
	id, _ := f["docId"].(string)
	return Key{kind, id}
}

// rejectionKind keeps a refused mutation with its reason, for dispatchers.
func rejectionKind() *Kind {
	return &Kind{
		Name: kindRejection, Plural: "rejections", Access: settle(),
		Fields: []Field{
			{Name: "mutation", Type: Any, ReadOnly: true},
			{Name: "code", Type: Text, ReadOnly: true, Filter: true},
			{Name: "detail", Type: Text, ReadOnly: true, Max: 1000},
			{Name: "fieldErrors", Type: Any, ReadOnly: true},
			{Name: "userId", Type: Text, ReadOnly: true, Filter: true},
			{Name: "deviceId", Type: Text, ReadOnly: true, Filter: true},
			{Name: "at", Type: DateTime, ReadOnly: true, Filter: true},
			{Name: "receivedAt", Type: DateTime, ReadOnly: true, Filter: true},
			{Name: "expiresAt", Type: DateTime, ReadOnly: true, Filter: true},
			{Name: "resolved", Type: Boolean, Default: false, Filter: true},
		},
		Scope: func(Reader, string, Fields) (string, error) { return ScopeOffice, nil },
	}
}

// counterKind keeps the next number to lend, per kind of document.
func counterKind() *Kind {
	return &Kind{
		Name:   kindCounter,
		Fields: []Field{{Name: "next", Type: Integer, Required: true}},
		Scope:  func(Reader, string, Fields) (string, error) { return ScopePrivate, nil },
	}
}
