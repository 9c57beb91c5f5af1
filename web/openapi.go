package web

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/enroute-field/enroute/internal/fault"
)

// listParams are the parameters of a list of the kind.
func (d documents) listParams() []param {
	out := []param{limitParam, afterParam,
		{name: "q", about: "Words and digits that must occur, each as the beginning of a word, whatever case and accents.", shape: textSchema},
		{name: "sort", about: "Fields to sort by, separated by commas; a minus before one turns its order round.", shape: textSchema},
	}
	fields := append(slices.Clone(d.kind.Fields), documentFields...)
	for i := range fields {
		f := &fields[i]
		if !f.Filter {
			continue
		}
		name, about := f.Name, "Only where it is this. Also with .gte, .lte, .in (values separated by commas), .prefix and .exists (true or false) after the name."
		if shape := fieldSchema(f); shape["type"] == "object" {
			name += ".{key}"
		}
		if f.Name == d.kind.DisabledField {
			about = "Disabled ones are left out unless this is true, or false,true, or ids are asked for."
		}
		out = append(out, param{name: name, about: about, shape: textSchema})
	}
	return out
}

// describe prepares the OpenAPI document and its page.
func (s *Server) describe() error {
	text, err := marshal(s.openAPIDocument())
	if err != nil {
		return err
	}
	s.openAPIText = page{body: text, media: fiber.MIMEApplicationJSON, tag: contentTag(text)}
	s.docsText, err = s.docsPage()
	return err
}

// page is a fixed answer, made once.
type page struct {
	body   []byte
	media  string
	tag    string // ETag
	policy string // Content-Security-Policy; "": that of answers that are no pages
}

func contentTag(b []byte) string {
	sum := sha256.Sum256(b)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

func (c *call) page(p *page) error {
	c.http.Set(fiber.HeaderETag, p.tag)
	if p.policy != "" {
		c.http.Set(fiber.HeaderContentSecurityPolicy, p.policy)
	}
	if c.http.Get(fiber.HeaderIfNoneMatch) == p.tag {
		c.http.Response().SetStatusCode(http.StatusNotModified)
		return nil
	}
	return c.send(http.StatusOK, p.media, p.body)
}

func (s *Server) openAPI(c *call) error { return c.page(&s.openAPIText) }

func (s *Server) openAPIDocument() schema {
	schemas := wireSchemas()
	for _, k := range s.o.Registry.Kinds() {
		if k.Plural != "" {
			name := title(k.Name)
			schemas[name], schemas[name+"Create"], schemas[name+"Patch"] = kindSchemas(k)
		}
	}
	paths := schema{}
	for _, e := range s.endpoints {
		path, _ := paths[e.path].(schema)
		if path == nil {
			path = schema{}
			paths[e.path] = path
		}
		path[strings.ToLower(e.method)] = e.operation()
	}
	return schema{
		"openapi": "3.1.0",
		"info":    schema{"title": "Enroute", "version": or(s.o.Version, "dev"), "description": "Errors are problems (RFC 9457), in the language of Accept-Language (en, fr)."},
		"paths":   paths,
		"components": schema{
			"schemas":         schemas,
			"securitySchemes": schema{"token": schema{"type": "http", "scheme": "bearer"}},
		},
	}
}

// operation describes an endpoint.
func (e *endpoint) operation() schema {
	op := schema{"operationId": e.id, "summary": e.summary, "tags": []string{e.tag}, "responses": e.responses()}
	if params := e.parameters(); len(params) > 0 {
		op["parameters"] = params
	}
	if e.access != anyone {
		op["security"] = []schema{{"token": []string{}}}
	}
	if e.body != nil {
		content := schema{}
		for _, media := range append([]string{fiber.MIMEApplicationJSON}, e.types...) {
			content[media] = schema{"schema": e.body}
		}
		op["requestBody"] = schema{"required": true, "content": content}
	}
	return op
}

func (e *endpoint) parameters() []schema {
	var out []schema
	if strings.Contains(e.path, "{id}") {
		out = append(out, schema{"name": "id", "in": "path", "required": true, "schema": idSchema})
	}
	for _, p := range e.query {
		out = append(out, schema{"name": p.name, "in": "query", "description": p.about, "required": p.must, "schema": p.shape})
	}
	for _, p := range e.headers {
		out = append(out, schema{"name": p.name, "in": "header", "description": p.about, "schema": p.shape})
	}
	return out
}

func (e *endpoint) responses() schema {
	success := schema{"description": http.StatusText(e.status)}
	if e.answer != nil {
		success["content"] = schema{or(e.media, fiber.MIMEApplicationJSON): schema{"schema": e.answer}}
	}
	out := schema{strconv.Itoa(e.status): success}
	for status, codes := range e.problems() {
		slices.Sort(codes)
		out[strconv.Itoa(status)] = schema{
			"description": strings.Join(slices.Compact(codes), ", "),
			"content":     schema{problemType: schema{"schema": ref("Problem")}},
		}
	}
	return out
}

// problems are the codes an endpoint may answer with, by status: its own, and
// those that follow from its shape.
func (e *endpoint) problems() map[int][]string {
	codes := append([]fault.Code{fault.Internal, fault.Unavailable}, e.faults...)
	if e.access != anyone {
		codes = append(codes, fault.NotSignedIn, fault.DeviceRevoked)
	}
	if e.access == office || e.filters == nil && e.method != http.MethodGet && e.access == signedIn {
		codes = append(codes, fault.Forbidden)
	}
	if len(e.query) > 0 || e.body != nil {
		codes = append(codes, fault.InvalidInput)
	}
	if e.body != nil {
		codes = append(codes, fault.MalformedJSON, fault.BadUTF8, fault.TooDeep, fault.DuplicateMember, or(e.tooLong, fault.TooLarge), fault.UnsupportedType)
	}
	out := map[int][]string{}
	for _, code := range codes {
		out[code.Status()] = append(out[code.Status()], string(code))
	}
	return out
}
