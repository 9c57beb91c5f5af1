package bench

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/enroute-field/enroute/sync"
)

// The push template has a serial in place of what must be new in every
// document: it stands in the mutation's id, the document's id and its name.
const (
	serialMark      = "abcdefabcdef" // as long as the last group of a UUID
	placesPerSerial = 3
)

// pullRequest asks for what is new since the cursor.
func pullRequest(token, cursor string) []byte {
	path := "/v1/sync/pull"
	if cursor != "" {
		path += "?cursor=" + url.QueryEscape(cursor)
	}
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", path, token)
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
	return postRequest(token, "/v1/sync/push", map[string]any{"mutations": mutations})
}

// touchRequest changes the first clients' notes, so that every technician has
// exactly changed documents that are new.
func (s Size) touchRequest(token string) []byte {
	mutations := make([]map[string]any, s.Technicians*changed/2)
	for i := range mutations {
		mutations[i] = map[string]any{
			"id": fmt.Sprintf("00000000-0000-4000-9000-%012x", i), "kind": "client", "docId": clientID(i),
			"op": sync.Update, "set": map[string]any{"searchCode": "touched"},
		}
	}
	return postRequest(token, "/v1/sync/push", map[string]any{"mutations": mutations})
}

func postRequest(token, path string, body any) []byte {
	raw, _ := json.Marshal(body) // strings, numbers and maps always encode
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n", path, token)
	fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(raw))
	b.Write(raw)
	return []byte(b.String())
}

// listRequest asks for one client, which needs the lists brought to the head.
func listRequest(token string) []byte {
	return fmt.Appendf(nil, "GET /v1/clients?limit=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", token)
}
