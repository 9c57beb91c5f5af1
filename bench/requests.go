package bench

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/enroute-field/enroute/sync"
)

// The push template has a serial in place of what must be new in every
// document: it stands in the mutation's id, the document's id and its name.
const (
	serialMark      = "abcdefabcdef" // as long as the last group of a UUID
	placesPerSerial = 3
)

// pullRequest asks for what is new since the cursor, as devices do: they leave
// the number of rows to the server.
func pullRequest(token, cursor string) []byte { return pageRequest(token, cursor, 0) }

// pageRequest asks for at most limit rows, if it is not 0.
func pageRequest(token, cursor string, limit int) []byte {
	q := url.Values{}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	path := "/v1/sync/pull"
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return getRequest(token, path)
}

// pushRequest creates perPush clients, numbered by serialMark.
func pushRequest(token string) []byte {
	mutations := make([]map[string]any, perPush)
	for i := range mutations {
		// encoding/json writes members in the order of their names, so the
		// three places of one document follow each other.
		mutations[i] = map[string]any{
			"docId": "pushed-" + serialMark, "id": "00000000-0000-4000-8000-" + serialMark,
			"kind": "client", "op": sync.Create, "set": clientFields(serialMark),
		}
	}
	return bodyRequest("POST", token, "/v1/sync/push", map[string]any{"mutations": mutations})
}

// refused stands in the answer of a push when one of its mutations was.
const refused = `"rejected"`

// mutationsRequest pushes mutations, each under an id of its own; number is
// of the push, and no other has it.
func mutationsRequest(token string, number int, all []sync.Mutation) []byte {
	out := make([]map[string]any, len(all))
	for i, m := range all {
		out[i] = map[string]any{
			"id": fmt.Sprintf("00000000-0000-4000-9000-%06x%06x", number, i), "kind": m.Kind, "docId": m.DocID,
			"op": m.Op, "set": m.Set,
		}
	}
	return bodyRequest("POST", token, "/v1/sync/push", map[string]any{"mutations": out})
}

// patchRequest changes one field of a document, as a console would.
func patchRequest(token, path, field, value string) []byte {
	return bodyRequest("PATCH", token, path, map[string]any{field: value})
}

// liveRequest opens a stream.
func liveRequest(token, cursor string) []byte {
	return getRequest(token, "/v1/sync/live?cursor="+url.QueryEscape(cursor))
}

func getRequest(token, path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", path, token)
}

func bodyRequest(method, token, path string, body any) []byte {
	raw, _ := json.Marshal(body) // strings, numbers and maps always encode
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n", method, path, token)
	fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(raw))
	b.Write(raw)
	return []byte(b.String())
}

// listRequest asks for one client, which needs the lists brought to the head.
func listRequest(token string) []byte { return getRequest(token, "/v1/clients?limit=1") }

// metricsRequest asks for the server's figures.
func metricsRequest() []byte { return getRequest("", "/metrics") }
