package main

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/enroute-field/enroute/store/mongotest"
)

// TestFiguresOfOperations: an alert on a figure that no node shows never comes.
func TestFiguresOfOperations(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	p := newProcess(t, []string{"ENROUTE_STORE=" + mongotest.Database(t)}, "serve")
	p.start()
	res, err := http.Get("http://" + p.listen + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	shown, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	told := regexp.MustCompile("`((enroute|process)_[a-z_]+)[`{]").FindAllSubmatch(text, -1)
	if len(told) < 10 {
		t.Errorf("docs/operations.md names %d figures only", len(told))
	}
	for _, name := range told {
		if !strings.Contains(string(shown), "# TYPE "+string(name[1])+" ") {
			t.Errorf("docs/operations.md names %s, which a node does not show", name[1])
		}
	}
}
