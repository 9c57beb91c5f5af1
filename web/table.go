package web

import (
	"net/http"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// table is every route there is. The sync side stands first: routes are
// matched in this order.
func (s *Server) table() []*endpoint {
	all := s.syncEndpoints()
	all = append(all, s.accountEndpoints()...)
	for _, k := range s.o.Registry.Kinds() {
		if k.Plural != "" {
			all = append(all, s.documentEndpoints(k)...)
		}
	}
	return append(all, s.serverEndpoints()...)
}

var (
	cursorParam = param{name: "cursor", about: "The cursor of the last page; without it the view is sent from nothing.", shape: schema{"type": "string", "maxLength": 512}}
	keyHeader   = param{name: idempotencyHeader, about: "Sent again with the same request it has no second effect and gets the first answer.", shape: schema{"type": "string", "maxLength": 255}}
	matchHeader = param{name: "If-Match", about: "Only if the document is still at this rev.", shape: textSchema}
	noneHeader  = param{name: "If-None-Match", about: "304 if the document is still at this rev.", shape: textSchema}
	limitParam  = param{name: "limit", about: "Items of the page.", shape: schema{"type": "integer", "minimum": 1, "maximum": maxItems, "default": defaultItems}}
	afterParam  = param{name: "after", about: "The next of the page before.", shape: textSchema}
)

func (s *Server) syncEndpoints() []*endpoint {
	return []*endpoint{
		{
			method: http.MethodGet, path: "/v1/sync/pull", access: signedIn, handle: s.pull, noTimer: true,
			query: []param{cursorParam, {name: "limit", about: "Rows of the page.", shape: schema{"type": "integer", "minimum": 1, "maximum": maxRows, "default": 1000}}},
			id:    "pull", tag: "Sync", summary: "What is new in the user's view since a cursor", status: http.StatusOK, answer: ref("Page"),
			faults: []fault.Code{fault.BadCursor},
		},
		{
			method: http.MethodPost, path: "/v1/sync/push", access: handIn, handle: s.push, limit: pushLimit, tooLong: fault.PushTooLarge, repeats: true,
			id: "push", tag: "Sync", summary: "Hand in what was done on a device", body: ref("Push"), status: http.StatusOK, answer: ref("PushAnswer"),
			faults: []fault.Code{fault.PushTooLarge},
		},
		{
			method: http.MethodGet, path: "/v1/sync/live", access: signedIn, handle: s.live, noTimer: true, onlyGet: true,
			query: []param{cursorParam}, headers: []param{{name: "Last-Event-ID", about: "The cursor of the last event; it wins over the parameter.", shape: textSchema}},
			id: "live", tag: "Sync", summary: "A stream of pages as they come about", status: http.StatusOK,
			media: eventStream, answer: schema{"type": "string", "description": "Events named change, whose id is a cursor and whose data is a Page. A final event named problem, whose data is a Problem, says that the session is over."},
			faults: []fault.Code{fault.BadCursor},
		},
		{
			method: http.MethodGet, path: "/v1/sync/explain", access: office, handle: s.explain,
			query: []param{{name: "employee", about: "Whose view.", shape: textSchema, must: true}, {name: "kind", about: "Kind of the document.", shape: textSchema, must: true}, {name: "id", about: "Id of the document.", shape: textSchema, must: true}},
			id:    "explain", tag: "Sync", summary: "Why somebody sees a document, or that they do not", status: http.StatusOK, answer: ref("Explanation"),
		},
		{
			method: http.MethodPost, path: "/v1/sync/numbers", access: signedIn, handle: s.numbers, limit: s.o.Limits.Body,
			id: "lendNumbers", tag: "Sync", summary: "Borrow a block of numbers to give out offline", body: ref("NumbersRequest"), status: http.StatusOK, answer: ref("Numbers"),
		},
		{
			method: http.MethodPost, path: "/v1/sync/report", access: signedIn, handle: s.report, limit: s.o.Limits.Body,
			id: "report", tag: "Sync", summary: "What a device tells about itself", body: ref("Report"), status: http.StatusNoContent,
		},
	}
}

func (s *Server) accountEndpoints() []*endpoint {
	return []*endpoint{
		{
			method: http.MethodPost, path: "/v1/login", handle: s.login, limit: signInLimit, workspace: loginWorkspace,
			id: "login", tag: "Signing in", summary: "Sign in", body: ref("Login"), status: http.StatusOK, answer: ref("Session"),
			faults: []fault.Code{fault.BadCredentials, fault.TooManyRequests},
		},
		{
			method: http.MethodPost, path: "/v1/logout", access: signedIn, handle: s.logout,
			id: "logout", tag: "Signing in", summary: "End this session", status: http.StatusNoContent,
		},
		{
			method: http.MethodPut, path: "/v1/employees/{id}/password", access: signedIn, handle: s.setPassword, limit: signInLimit,
			id: "setPassword", tag: "Signing in", summary: "Change one's own password, or as an administrator another's", body: ref("Password"), status: http.StatusNoContent,
			faults: []fault.Code{fault.NotFound, fault.TooManyRequests},
		},
		{
			method: http.MethodGet, path: "/v1/devices", access: office, handle: s.devices,
			id: "listDevices", tag: "Signing in", summary: "All devices and console sessions (administrators)", status: http.StatusOK, answer: ref("Devices"),
		},
		{
			method: http.MethodDelete, path: "/v1/devices/{id}", access: office, handle: s.revoke,
			query: []param{{name: "handIn", about: "Let its push be answered for another 24 hours.", shape: schema{"type": "boolean", "default": false}}},
			id:    "revokeDevice", tag: "Signing in", summary: "Revoke a device at once (administrators)", status: http.StatusNoContent,
			faults: []fault.Code{fault.NotFound},
		},
	}
}

func (s *Server) documentEndpoints(k *sync.Kind) []*endpoint {
	d := documents{s, k}
	name, base := title(k.Name), "/v1/"+k.Plural
	one := base + "/{id}"
	return []*endpoint{
		{
			method: http.MethodGet, path: base, access: signedIn, handle: d.list, filters: k, query: d.listParams(),
			id: "list" + name, tag: k.Plural, summary: "List, filter and search " + k.Plural, status: http.StatusOK, answer: listOf(ref(name)),
			faults: []fault.Code{fault.Gone},
		},
		{
			method: http.MethodPost, path: base, access: signedIn, handle: d.create, limit: s.o.Limits.Body, headers: []param{keyHeader},
			id: "create" + name, tag: k.Plural, summary: "Create one of " + k.Plural, body: ref(name + "Create"), status: http.StatusCreated, answer: ref(name),
			faults: []fault.Code{fault.IDExists},
		},
		{
			method: http.MethodGet, path: one, access: signedIn, handle: d.get, headers: []param{noneHeader},
			id: "get" + name, tag: k.Plural, summary: "Get one of " + k.Plural, status: http.StatusOK, answer: ref(name),
			faults: []fault.Code{fault.NotFound},
		},
		{
			method: http.MethodPatch, path: one, access: signedIn, handle: d.patch, limit: s.o.Limits.Body, headers: []param{matchHeader, keyHeader},
			types: []string{mergePatch},
			id:    "change" + name, tag: k.Plural, summary: "Change one of " + k.Plural + " by JSON merge patch", body: ref(name + "Patch"), status: http.StatusOK, answer: ref(name),
			faults: []fault.Code{fault.NotFound, fault.PreconditionFail},
		},
		{
			method: http.MethodDelete, path: one, access: signedIn, handle: d.remove, headers: []param{matchHeader, keyHeader},
			id: "delete" + name, tag: k.Plural, summary: "Delete one of " + k.Plural, status: http.StatusNoContent,
			faults: []fault.Code{fault.NotFound, fault.OpenTasks, fault.PreconditionFail},
		},
		{
			method: http.MethodGet, path: one + "/history", access: signedIn, handle: d.history, query: []param{limitParam, afterParam},
			id: "history" + name, tag: k.Plural, summary: "All changes of one of " + k.Plural + ", newest first", status: http.StatusOK, answer: listOf(ref("HistoryEntry")),
			faults: []fault.Code{fault.NotFound},
		},
	}
}

// eventStream is the media type of server-sent events.
const eventStream = "text/event-stream"

// mergePatch is the media type of RFC 7396.
const mergePatch = "application/merge-patch+json"

func (s *Server) serverEndpoints() []*endpoint {
	return []*endpoint{
		{
			method: http.MethodGet, path: "/v1/openapi.json", handle: s.openAPI, cached: true,
			id: "openapi", tag: "Server", summary: "This document", status: http.StatusOK, answer: schema{"type": "object"},
		},
		{
			method: http.MethodGet, path: "/docs", handle: s.docs, cached: true,
			id: "docs", tag: "Server", summary: "This document for people", status: http.StatusOK, media: "text/html", answer: textSchema,
		},
		{
			method: http.MethodGet, path: "/healthz", handle: s.healthz, always: true,
			id: "healthz", tag: "Server", summary: "Whether the process is alive", status: http.StatusOK, answer: schema{"type": "object"},
		},
		{
			method: http.MethodGet, path: "/readyz", handle: s.readyz, always: true,
			id: "readyz", tag: "Server", summary: "Whether requests are taken", status: http.StatusOK, answer: schema{"type": "object"},
			faults: []fault.Code{fault.Unavailable},
		},
		{
			method: http.MethodGet, path: "/metrics", handle: s.metrics.show(), always: true,
			id: "metrics", tag: "Server", summary: "Figures for Prometheus", status: http.StatusOK, media: "text/plain", answer: textSchema,
		},
	}
}
