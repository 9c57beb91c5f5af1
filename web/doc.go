// Package web is the HTTP side of Enroute: it turns requests into calls of
// the engine and of auth, and their answers and faults into responses.
//
// Every route is one row of a table (endpoint): the server mounts the table,
// the OpenAPI document describes it, and the metrics are labelled by it. A
// handler does three things: it reads the request, calls one thing, and
// writes the answer. Everything that is the same for all of them (who asks,
// limits, headers, errors, compression, counting) is in Server.serve.
package web
