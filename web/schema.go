package web

import (
	"strings"

	"github.com/enroute-field/enroute/sync"
)

// schema is a JSON Schema (draft 2020-12), as OpenAPI 3.1 uses it.
type schema map[string]any

var textSchema = schema{"type": "string"}

func ref(name string) schema { return schema{"$ref": "#/components/schemas/" + name} }

func listOf(item schema) schema {
	return record("items", schema{"type": "array", "items": item},
		"next", schema{"type": []string{"string", "null"}, "description": "Give it as after to go on; null at the end."},
		"total", schema{"type": "integer"},
		"totalAtLeast", schema{"type": "boolean", "description": "The total is a lower bound."})
}

// record makes the schema of an object from name, schema pairs.
func record(pairs ...any) schema {
	properties := schema{}
	for i := 0; i+1 < len(pairs); i += 2 {
		properties[pairs[i].(string)] = pairs[i+1]
	}
	return schema{"type": "object", "properties": properties}
}

func (s schema) with(name string, value any) schema {
	s[name] = value
	return s
}

// title is a name with a capital.
func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

var (
	idSchema   = schema{"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
	timeSchema = schema{"type": "string", "format": "date-time"}
	revSchema  = schema{"type": "integer", "minimum": 1}
)

// plainTypes are the schemas of types that need nothing of the field.
var plainTypes = map[sync.Type]schema{
	sync.Text: textSchema, sync.LongText: textSchema, sync.Phone: textSchema,
	sync.Integer: {"type": "integer"}, sync.Number: {"type": "number"}, sync.Boolean: {"type": "boolean"},
	sync.Date: {"type": "string", "format": "date"}, sync.DateTime: timeSchema,
	sync.Duration: {"type": "string", "format": "duration"},
	sync.Email:    {"type": "string", "format": "email"}, sync.URL: {"type": "string", "format": "uri"},
	sync.Language:  {"type": "string", "description": "BCP 47"},
	sync.TimeZone:  {"type": "string", "description": "IANA time zone"},
	sync.Texts:     {"type": "array", "items": textSchema},
	sync.Reference: idSchema, sync.References: {"type": "array", "items": idSchema},
	sync.Position: {
		"type": "object", "required": []string{"lat", "lng"},
		"properties": schema{
			"lat": schema{"type": "number", "minimum": -90, "maximum": 90}, "lng": schema{"type": "number", "minimum": -180, "maximum": 180},
			"accuracy": schema{"type": "number"}, "source": textSchema, "pinned": schema{"type": "boolean"},
		},
	},
	sync.Any: {},
}

// fieldSchema describes one field.
func fieldSchema(f *sync.Field) schema {
	s := schema{}
	for k, v := range plainTypes[f.Type] {
		s[k] = v
	}
	switch f.Type {
	case sync.Choice:
		s["type"], s["enum"] = "string", f.Enum
	case sync.Choices:
		s["type"], s["items"] = "array", schema{"type": "string", "enum": f.Enum}
	case sync.Object:
		s = membersSchema(f.Members)
	case sync.Elements:
		s["type"], s["items"] = "array", elementSchema(f.Members)
	}
	annotate(s, f)
	return s
}

func annotate(s schema, f *sync.Field) {
	if f.Max > 0 && s["type"] == "string" {
		s["maxLength"] = f.Max
	}
	if f.Min != nil {
		s["minimum"] = *f.Min
	}
	if f.Limit != nil {
		s["maximum"] = *f.Limit
	}
	if f.ReadOnly {
		s["readOnly"] = true
	}
	if f.Default != nil {
		s["default"] = f.Default
	}
	if f.Refs != "" {
		s["description"] = "Id of one of " + f.Refs
	}
}

func membersSchema(members []sync.Field) schema {
	s := schema{"type": "object"}
	if members == nil {
		return s
	}
	properties := schema{}
	for i := range members {
		properties[members[i].Name] = fieldSchema(&members[i])
	}
	return s.with("properties", properties)
}

// elementSchema describes one element of a list that is merged by their ids.
func elementSchema(members []sync.Field) schema {
	properties, _ := membersSchema(members)["properties"].(schema)
	if properties == nil {
		properties = schema{}
	}
	properties["id"] = idSchema
	properties["removed"] = schema{"type": "boolean", "description": "In a change: takes the element of this id out."}
	return schema{"type": "object", "properties": properties, "required": []string{"id"}}
}

// patchSchema describes what a merge patch may say of a field; null takes it away.
func patchSchema(f *sync.Field) schema {
	s := fieldSchema(f)
	if f.Type == sync.Object && f.Members != nil {
		members := schema{}
		for i := range f.Members {
			members[f.Members[i].Name] = patchSchema(&f.Members[i])
		}
		s["properties"] = members
	}
	if f.Required {
		return s
	}
	return schema{"oneOf": []schema{s, {"type": "null"}}}
}

// reasonSchema is of the word that may come with a change of state.
var reasonSchema = schema{"type": "string", "maxLength": sync.MaxReason, "description": "Why the state changes; kept with its event."}

// kindSchemas are the document of a kind, and what creates and changes it.
func kindSchemas(k *sync.Kind) (document, create, patch schema) {
	var required []string
	fields, asked, changed := schema{}, schema{"id": idSchema}, schema{}
	for i := range k.Fields {
		f := &k.Fields[i]
		fields[f.Name] = fieldSchema(f)
		if f.ReadOnly {
			continue
		}
		asked[f.Name] = fieldSchema(f)
		changed[f.Name] = patchSchema(f)
		if f.Required && f.Default == nil {
			required = append(required, f.Name)
		}
	}
	if k.TakesReason() {
		asked["reason"], changed["reason"] = reasonSchema, reasonSchema
	}
	fields["kind"], fields["id"], fields["rev"] = schema{"const": k.Name}, idSchema, revSchema
	fields["scope"], fields["createdAt"], fields["updatedAt"] = textSchema, timeSchema, timeSchema
	document = schema{"type": "object", "properties": fields, "required": []string{"kind", "id", "rev", "scope", "createdAt", "updatedAt"}}
	create = schema{"type": "object", "properties": asked, "additionalProperties": false}
	if required != nil {
		create["required"] = required
	}
	patch = schema{"type": "object", "properties": changed, "additionalProperties": false}
	return document, create, patch
}

// wireSchemas are those of everything but documents.
func wireSchemas() schema {
	number, flag := schema{"type": "integer", "minimum": 0}, schema{"type": "boolean"}
	list := func(s schema) schema { return schema{"type": "array", "items": s} }
	key := record("kind", textSchema, "id", idSchema)
	digest := record("count", number, "sum", schema{"type": "string", "pattern": "^[0-9a-f]{16}$"})
	return schema{
		"Problem": record("type", textSchema, "title", textSchema, "status", number, "code", textSchema, "detail", textSchema,
			"errors", list(record("field", textSchema, "code", textSchema, "detail", textSchema))),
		"Digest": digest,
		"Page": record("cursor", textSchema, "more", flag, "head", number, "reset", flag, "drop", list(textSchema),
			"remove", list(key), "put", list(schema{"type": "object"}), "digest", ref("Digest")),
		"Push": record("sentAt", timeSchema, "mutations", list(ref("Mutation")).with("maxItems", sync.MaxMutations)).
			with("required", []string{"mutations"}).with("additionalProperties", false),
		"Mutation": record("id", schema{"type": "string", "format": "uuid"}, "kind", textSchema, "docId", idSchema,
			"op", schema{"enum": []sync.Op{sync.Create, sync.Update, sync.Delete}}, "base", number, "set", schema{"type": "object"},
			"unset", list(textSchema), "at", timeSchema, "group", textSchema).
			with("required", []string{"id", "kind", "docId", "op"}).with("additionalProperties", false),
		"PushAnswer": record("results", list(ref("Result")), "head", number),
		"Result": record("id", schema{"type": "string", "format": "uuid"},
			"status", schema{"enum": []sync.Status{sync.Applied, sync.Merged, sync.Rejected}}, "duplicate", flag, "rev", number,
			"conflicts", list(record("field", textSchema, "kept", schema{}, "discarded", schema{})), "error", ref("Problem")),
		"Explanation":    record("visible", flag, "because", list(textSchema)),
		"NumbersRequest": record("kind", textSchema, "count", schema{"type": "integer", "minimum": 1, "maximum": maxNumbers}).with("required", []string{"kind", "count"}),
		"Numbers":        record("from", number, "to", number),
		"Report": record("kind", schema{"const": digestReport}, "head", number, "expected", ref("Digest"), "actual", ref("Digest"),
			"pending", number, "appVersion", textSchema),
		"Login": record("workspace", textSchema, "email", textSchema, "password", textSchema,
			"device", record("id", idSchema, "name", textSchema, "platform", textSchema, "appVersion", textSchema, "pushToken", textSchema)).
			with("required", []string{"workspace", "email", "password"}).with("additionalProperties", false),
		"Session": record("token", textSchema, "expiresAt", timeSchema, "deviceId", idSchema,
			"workspace", record("name", textSchema, "displayName", textSchema, "timeZone", textSchema, "region", textSchema, "currency", textSchema, "languages", list(textSchema)),
			"user", record("id", idSchema, "name", textSchema, "role", textSchema, "employeeId", idSchema)),
		"Password": record("password", schema{"type": "string", "minLength": 12}, "currentPassword", textSchema).with("required", []string{"password"}),
		"Devices": listOf(record("id", idSchema, "userId", idSchema, "console", flag, "name", textSchema, "platform", textSchema, "appVersion", textSchema,
			"signedIn", flag, "signedInAt", timeSchema, "expiresAt", timeSchema, "revokedAt", timeSchema, "handInUntil", timeSchema,
			"lastSeenAt", timeSchema, "cursorLag", number, "pending", number)),
		"HistoryEntry": record("rev", revSchema, "at", timeSchema, "receivedAt", timeSchema, "actor", record("id", idSchema, "name", textSchema),
			"deviceId", textSchema, "cause", record("kind", textSchema, "ref", textSchema),
			"changes", list(record("field", textSchema, "from", schema{}, "to", schema{}))),
	}
}
