package sync

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
)

// stored is the form in which the journal keeps a result.
type stored struct {
	Status    Status       `json:"status"`
	Rev       uint64       `json:"rev,omitempty"`
	Conflicts []Conflict   `json:"conflicts,omitempty"`
	Error     *storedError `json:"error,omitempty"`
}

type storedError struct {
	Code   fault.Code        `json:"code"`
	Args   map[string]string `json:"args,omitempty"`
	Fields []storedField     `json:"fields,omitempty"`
}

type storedField struct {
	Field string            `json:"field"`
	Code  fault.Code        `json:"code"`
	Args  map[string]string `json:"args,omitempty"`
}

// encode gives the result as the journal keeps it. The texts of an error are
// not kept: they are made in the language of whoever asks again.
func (r *Result) encode() ([]byte, error) {
	if r.Status == Applied && r.Conflicts == nil {
		b := append(make([]byte, 0, 40), `{"status":"applied","rev":`...)
		return append(strconv.AppendUint(b, r.Rev, 10), '}'), nil
	}
	s := stored{Status: r.Status, Rev: r.Rev, Conflicts: r.Conflicts}
	if e := r.Error; e != nil {
		s.Error = &storedError{Code: e.Code, Args: e.Args}
		for _, f := range e.Fields {
			s.Error.Fields = append(s.Error.Fields, storedField(f))
		}
	}
	b, err := marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode result of %s: %w", r.ID, err)
	}
	return b, nil
}

// decode reads what encode wrote.
func (r *Result) decode(b []byte) error {
	var s stored
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("decode result: %w", err)
	}
	if s.Status != Applied && s.Status != Merged && s.Status != Rejected {
		return fmt.Errorf("decode result: status %q: %w", short(string(s.Status)), ErrDamaged)
	}
	r.Status, r.Rev, r.Conflicts = s.Status, s.Rev, s.Conflicts
	if s.Error == nil {
		return nil
	}
	r.Error = &fault.Error{Code: s.Error.Code, Args: s.Error.Args}
	for _, f := range s.Error.Fields {
		r.Error.Fields = append(r.Error.Fields, fault.Field(f))
	}
	return nil
}

// AppendJSON appends the response as on the wire, with the texts of errors in
// lang.
func (r *PushResponse) AppendJSON(dst []byte, lang string) []byte {
	dst = append(dst, `{"results":[`...)
	for i := range r.Results {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.Results[i].appendJSON(dst, lang)
	}
	dst = append(dst, `],"head":`...)
	dst = strconv.AppendUint(dst, r.Head, 10)
	return append(dst, '}')
}

func (r *Result) appendJSON(dst []byte, lang string) []byte {
	dst = append(dst, `{"id":"`...)
	dst = appendUUID(dst, r.ID)
	dst = append(append(dst, `","status":"`...), r.Status...)
	dst = strconv.AppendBool(append(dst, `","duplicate":`...), r.Duplicate)
	if r.Rev > 0 {
		dst = strconv.AppendUint(append(dst, `,"rev":`...), r.Rev, 10)
	}
	if len(r.Conflicts) > 0 {
		dst = appendMarshalled(append(dst, `,"conflicts":`...), r.Conflicts)
	}
	if r.Error != nil {
		dst = appendMarshalled(append(dst, `,"error":`...), r.Error.Problem(lang))
	}
	return append(dst, '}')
}

func appendUUID(dst []byte, id uuid.UUID) []byte { return append(dst, id.String()...) }

// appendMarshalled appends a value of which it is known that it can be
// encoded; otherwise a null, so that the rest stays readable.
func appendMarshalled(dst []byte, v any) []byte {
	b, err := marshal(v)
	if err != nil {
		b = []byte("null")
	}
	return append(dst, b...)
}
