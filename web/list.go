package web

import (
	"strconv"
	"strings"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// Items of a page of a list: at most, and unless asked.
const (
	maxItems     = 500
	defaultItems = 50
)

// maxValues bounds the values of one filter, and maxFilters the filters.
const (
	maxValues  = 500
	maxFilters = 20
)

// operators are the suffixes of a filter's name.
var operators = map[string]sync.FilterOp{
	"gte": sync.AtLeast, "lte": sync.AtMost, "in": sync.Equal, "prefix": sync.Prefix, "exists": sync.Exists,
}

// documentFields are what every document can be filtered and sorted by.
var documentFields = []sync.Field{
	{Name: "id", Type: sync.Text, Filter: true},
	{Name: "rev", Type: sync.Integer, Filter: true},
	{Name: "createdAt", Type: sync.DateTime, Filter: true},
	{Name: "updatedAt", Type: sync.DateTime, Filter: true},
}

// readList reads the whole query of a list.
func (d documents) readList(args []argument) (sync.ListRequest, error) {
	r := listReader{kind: d.kind, req: sync.ListRequest{Kind: d.kind.Name, Limit: defaultItems}}
	for _, a := range args {
		r.read(a)
	}
	if len(r.req.Filters) > maxFilters {
		r.wrong("", fault.TooLong, "max", strconv.Itoa(maxFilters))
	}
	if len(r.faults) > 0 {
		return r.req, fault.Invalid(r.faults...)
	}
	return r.req, nil
}

// listReader gathers a list request and what is wrong with it.
type listReader struct {
	kind   *sync.Kind
	req    sync.ListRequest
	faults []fault.Field
}

func (r *listReader) wrong(name string, code fault.Code, args ...string) {
	r.faults = append(r.faults, fault.At(name, code, args...))
}

func (r *listReader) read(a argument) {
	switch a.name {
	case "q":
		r.req.Search = a.value
	case "after":
		r.req.After = a.value
	case "limit":
		r.limit(a)
	case "sort":
		r.sort(a)
	default:
		r.filter(a)
	}
}

func (r *listReader) limit(a argument) {
	n, err := strconv.Atoi(a.value)
	switch {
	case err != nil:
		r.wrong(a.name, fault.WrongType, "type", "integer")
	case n < 1 || n > maxItems:
		r.wrong(a.name, fault.OutOfRange, "min", "1", "max", strconv.Itoa(maxItems))
	default:
		r.req.Limit = n
	}
}

func (r *listReader) sort(a argument) {
	for name := range strings.SplitSeq(a.value, ",") {
		name, descending := strings.CutPrefix(name, "-")
		if r.find(name) == nil {
			r.wrong(a.name, fault.UnknownField)
			return
		}
		r.req.Sort = append(r.req.Sort, sync.SortKey{Field: name, Descending: descending})
	}
}

// find a field that lists may be filtered by: "name", or "custom.color" for a
// member of an object; nil if there is none.
func (r *listReader) find(path string) *sync.Field {
	name, member, inside := strings.Cut(path, ".")
	field := r.kind.Field(name)
	for i := range documentFields {
		if documentFields[i].Name == name {
			field = &documentFields[i]
		}
	}
	if field == nil || !field.Filter || (field.Type == sync.Object) != (inside && member != "") {
		return nil
	}
	return field
}

// filter reads `field=value` and `field.op=value`.
func (r *listReader) filter(a argument) {
	path, op, field := r.target(a.name)
	if field == nil {
		r.wrong(a.name, fault.UnknownParam)
		return
	}
	texts := []string{a.value}
	several := path != a.name || field.Type == sync.Boolean // name.in=a,b and disabled=false,true
	if several && op == sync.Equal {
		texts = strings.Split(a.value, ",")
	}
	r.add(a.name, field, path, op, texts)
}

// target is what a filter's name is about. The last part is an operator where
// it can be one: custom.in is the member "in", custom.in.in asks it for one
// of several values.
func (r *listReader) target(name string) (path string, op sync.FilterOp, field *sync.Field) {
	if dot := strings.LastIndexByte(name, '.'); dot > 0 {
		if op, ok := operators[name[dot+1:]]; ok {
			if field := r.find(name[:dot]); field != nil {
				return name[:dot], op, field
			}
		}
	}
	return name, sync.Equal, r.find(name)
}

// add a filter whose values are given as texts.
func (r *listReader) add(param string, field *sync.Field, path string, op sync.FilterOp, texts []string) {
	f := sync.Filter{Field: path, Op: op}
	switch {
	case op == sync.Exists:
		f.Not = texts[0] == "false"
		if texts[0] != "true" && texts[0] != "false" {
			r.wrong(param, fault.NotOneOf, "values", "true, false")
		}
	case len(texts) > maxValues:
		r.wrong(param, fault.TooLong, "max", strconv.Itoa(maxValues))
	default:
		f.Values = r.values(param, field, path, texts)
	}
	r.req.Filters = append(r.req.Filters, f)
}

func (r *listReader) values(param string, field *sync.Field, path string, texts []string) []sync.Entry {
	out := make([]sync.Entry, 0, len(texts))
	for _, text := range texts {
		e, err := sync.EntryFor(field, path, text)
		if err != nil {
			f := fault.Of(err)
			r.faults = append(r.faults, fault.Field{Field: param, Code: f.Code, Args: f.Args})
			return nil
		}
		out = append(out, e)
	}
	return out
}

// appendList writes a page of a list.
func appendList(dst []byte, p *sync.ListPage) []byte {
	dst = append(dst, `{"items":[`...)
	for i, body := range p.Items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, body...)
	}
	dst = append(dst, `],"next":`...)
	if p.Next == "" {
		dst = append(dst, "null"...)
	} else {
		dst = strconv.AppendQuote(dst, p.Next) // opaque ASCII: no escapes
	}
	dst = append(dst, `,"total":`...)
	dst = strconv.AppendInt(dst, int64(p.Total), 10)
	if p.More {
		dst = append(dst, `,"totalAtLeast":true`...)
	}
	return append(dst, '}')
}
