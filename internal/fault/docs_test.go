package fault_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/enroute-field/enroute/internal/fault"
)

// TestDocumentation keeps the tables of docs/protocol.md and the catalogue
// the same: every code once, with its status, and no other.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	written := map[fault.Code]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| ([0-9]{3}) \\| .+ \\|$").FindAllSubmatch(doc, -1) {
		if written[fault.Code(row[1])] != "" {
			t.Errorf("the document explains %s twice", row[1])
		}
		written[fault.Code(row[1])] = string(row[2])
	}
	for _, code := range fault.Codes() {
		if got, want := written[code], strconv.Itoa(code.Status()); got != want {
			t.Errorf("%s: the document says %q, the catalogue %s", code, got, want)
		}
		delete(written, code)
	}
	for code := range written {
		t.Errorf("the document explains %s, which is not in the catalogue", code)
	}
}
