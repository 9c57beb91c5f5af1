package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

//go:embed docs.html
var docsTemplate string

//go:embed docs.css
var docsStyle string

// docs answers GET /docs: the API for people.
func (s *Server) docs(c *call) error { return c.page(&s.docsText) }

// docsView is what the page is made of.
type docsView struct {
	Version string
	Style   template.CSS
	Tags    []docsTag
	Codes   []docsCode
}

type docsTag struct {
	Name   string
	Routes []docsRoute
	Fields []docsField
}

type docsRoute struct {
	Method, Path, Summary, Access string
	Params                        []param
}

type docsField struct {
	Name, Type, Note string
}

type docsCode struct {
	Code   fault.Code
	Status int
	Text   string
}

// Text and About make a parameter readable by the template.
func (p param) Text() string  { return p.name }
func (p param) About() string { return p.about }

func (s *Server) docsPage() (page, error) {
	t, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return page{}, fmt.Errorf("read the template of /docs: %w", err)
	}
	view := docsView{Version: or(s.o.Version, "dev"), Style: template.CSS(docsStyle), Tags: s.docsTags(), Codes: docsCodes()} //nolint:gosec // our own file
	var b bytes.Buffer
	if err := t.Execute(&b, view); err != nil {
		return page{}, fmt.Errorf("make /docs: %w", err)
	}
	sum := sha256.Sum256([]byte(docsStyle))
	policy := contentPolicy + "; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	return page{body: b.Bytes(), media: fiber.MIMETextHTMLCharsetUTF8, tag: contentTag(b.Bytes()), policy: policy}, nil
}

// docsTags groups the routes, in order of the table.
func (s *Server) docsTags() []docsTag {
	var tags []docsTag
	for _, e := range s.endpoints {
		if len(tags) == 0 || tags[len(tags)-1].Name != e.tag {
			tags = append(tags, docsTag{Name: e.tag, Fields: docsFields(e.filters)})
		}
		t := &tags[len(tags)-1]
		t.Routes = append(t.Routes, docsRoute{e.method, e.path, e.summary, accessText[e.access], slices.Concat(e.query, e.headers)})
	}
	return tags
}

var accessText = map[access]string{anyone: "anyone", signedIn: "signed in", handIn: "signed in", office: "office roles"}

func docsFields(k *sync.Kind) []docsField {
	if k == nil {
		return nil
	}
	var out []docsField
	for i := range k.Fields {
		f := &k.Fields[i]
		s := fieldSchema(f)
		kind, _ := s["type"].(string)
		if format, ok := s["format"].(string); ok {
			kind += " (" + format + ")"
		}
		out = append(out, docsField{f.Name, or(kind, "any"), fieldNote(f)})
	}
	return out
}

func fieldNote(f *sync.Field) string {
	var notes []string
	add := func(when bool, text string) {
		if when {
			notes = append(notes, text)
		}
	}
	add(f.Required, "required")
	add(f.ReadOnly, "set by the server")
	add(f.Refs != "", "id of "+f.Refs)
	add(len(f.Enum) > 0, strings.Join(f.Enum, " | "))
	add(f.Filter, "filter")
	add(f.Search, "search")
	return strings.Join(notes, ", ")
}

// docsCodes are all error codes, by status.
func docsCodes() []docsCode {
	var out []docsCode
	for _, c := range fault.Codes() {
		out = append(out, docsCode{c, c.Status(), fault.New(c).Detail("en")})
	}
	slices.SortFunc(out, func(a, b docsCode) int {
		if a.Status != b.Status {
			return a.Status - b.Status
		}
		return strings.Compare(string(a.Code), string(b.Code))
	})
	return out
}
