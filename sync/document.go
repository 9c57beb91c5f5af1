package sync

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Key names a document within a workspace.
type Key struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

func (k Key) String() string { return k.Kind + "/" + k.ID }

// Fields are the decoded members of a document but for the reserved ones:
// nil, bool, float64, string, []any and map[string]any, as encoding/json
// decodes them.
type Fields = map[string]any

// Document is one record as rules see it: decoded, with the marks that
// merging needs.
type Document struct {
	Key
	Rev       uint64 // number of the commit that last changed it
	Scope     string
	Deleted   bool
	CreatedAt time.Time
	UpdatedAt time.Time
	Fields    Fields
	Marks     Marks
}

// Marks tells, per field path ("name", "custom.key"), who last changed it.
// They are kept beside the document and never on the wire.
type Marks map[string]Mark

// Mark is the last change of one field.
type Mark struct {
	Rev uint64    `json:"r"`
	By  string    `json:"b"` // origin: a device, or a user who has none
	At  time.Time `json:"t"` // corrected device time of the change
	// Office is true when an office role made the change.
	Office bool `json:"o,omitempty"`
}

// reserved are the members of the wire form that are no fields.
var reserved = map[string]bool{"kind": true, "id": true, "rev": true, "scope": true, "createdAt": true, "updatedAt": true}

// encode gives the document's wire form: one flat JSON object, reserved
// members first, the fields in order of their names.
func (d *Document) encode() ([]byte, error) {
	b := make([]byte, 0, 1024)
	b = appendString(append(b, `{"kind":`...), d.Kind)
	b = appendString(append(b, `,"id":`...), d.ID)
	b = strconv.AppendUint(append(b, `,"rev":`...), d.Rev, 10)
	b = appendString(append(b, `,"scope":`...), d.Scope)
	b = appendTime(append(b, `,"createdAt":`...), d.CreatedAt)
	b = appendTime(append(b, `,"updatedAt":`...), d.UpdatedAt)
	if len(d.Fields) == 0 {
		return append(b, '}'), nil
	}
	at := len(b)
	b, err := appendObject(b, d.Fields)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", d.Key, err)
	}
	b[at] = ',' // in place of the brace: one flat object
	return b, nil
}

// decodeDocument reads a stored version.
func decodeDocument(v *Version) (*Document, error) {
	d := &Document{Key: v.Key, Rev: v.Rev, Scope: v.Scope, Deleted: v.Deleted}
	var err error
	if err = json.Unmarshal(v.Body, &d.Fields); err == nil {
		d.CreatedAt, err = timeMember(d.Fields, "createdAt")
	}
	if err == nil {
		d.UpdatedAt, err = timeMember(d.Fields, "updatedAt")
	}
	if err != nil {
		return nil, fmt.Errorf("decode %s@%d: %w", v.Key, v.Rev, err)
	}
	for name := range reserved {
		delete(d.Fields, name)
	}
	if len(v.Marks) > 0 {
		if err := json.Unmarshal(v.Marks, &d.Marks); err != nil {
			return nil, fmt.Errorf("decode marks of %s@%d: %w", v.Key, v.Rev, err)
		}
	}
	return d, nil
}

func timeMember(f Fields, name string) (time.Time, error) {
	text, _ := f[name].(string)
	t, ok := ParseInstant(text)
	if !ok {
		return time.Time{}, fmt.Errorf("%s %q: %w", name, short(text), ErrDamaged)
	}
	return t, nil
}

// FieldsOf decodes the fields of a version's wire form.
func FieldsOf(body []byte) (Fields, error) {
	var f Fields
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, fmt.Errorf("decode body: %w", err)
	}
	for name := range reserved {
		delete(f, name)
	}
	return f, nil
}

// marshal is json.Marshal without its escaping of <, > and &.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
