package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/enroute-field/enroute/clients"
)

// FuzzDryRun: whatever file is to be imported, a dry run reads it, sums up, and
// writes nothing.
func FuzzDryRun(f *testing.F) {
	for _, seed := range []string{
		french, "name\nA\nB\n", "Nom;x\nA;1\n", "", "\xff\xfeN\x00", "name,creditLimit\nA,1.5\n\"B\n", strings.Repeat("name\n", 500), "name,name\n",
	} {
		f.Add(seed)
	}
	sum := regexp.MustCompile(`(?m)^([0-9]+) rows: ([0-9]+) ready to import, ([0-9]+) refused$`)
	f.Fuzz(func(t *testing.T, content string) {
		place := t.TempDir()
		file, data := filepath.Join(place, "in.csv"), filepath.Join(place, "data")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		out, errs, code := run(t, "import", "clients", file, "--dry-run", "--ignore-unknown", "--data", data)
		if entries, err := os.ReadDir(place); err != nil || len(entries) != 1 {
			t.Fatalf("the dry run left %v, %v", entries, err)
		}
		if kept, err := os.ReadFile(file); err != nil || string(kept) != content {
			t.Fatalf("the dry run changed the file: %v", err)
		}
		m := sum.FindStringSubmatch(out)
		if m == nil {
			if code != exitFailed || errs == "" {
				t.Fatalf("code %d without a word: %s%s", code, out, errs)
			}
			return
		}
		rows, _ := strconv.Atoi(m[1])
		ready, _ := strconv.Atoi(m[2])
		refused, _ := strconv.Atoi(m[3])
		if rows != ready+refused || (refused == 0) != (code == exitOK) || strings.Count(out, "row ") < refused {
			t.Fatalf("code %d: %s", code, out)
		}
	})
}

// FuzzUnderstand: an answer of a server that takes clients is done, a refusal
// for good, or to be asked for again after a sensible while.
func FuzzUnderstand(f *testing.F) {
	f.Add(201, "", `{"id":"c1"}`)
	f.Add(422, "", `{"code":"invalid","detail":"d","errors":[{"field":"name","detail":"x"}]}`)
	f.Add(503, "99999999999999999", `{"detail":"later"}`)
	f.Add(503, "-1", `{}`)
	f.Add(401, "", `{"code":"not_signed_in"}`)
	f.Add(502, "", `<html>`)
	f.Fuzz(func(t *testing.T, status int, wait, body string) {
		res := &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{"Retry-After": {wait}},
			Body: io.NopCloser(strings.NewReader("")), Request: &http.Request{URL: &url.URL{Path: "/v1/clients"}}}
		var into struct{ ID string }
		why, after, err := understand(res, []byte(body), &into)
		switch {
		case why != nil && (err != nil || after != 0 || status < 300):
			t.Fatalf("%d is refused as %+v, and %v, %v", status, why, after, err)
		case status >= 300 && why == nil && err == nil:
			t.Fatalf("%d is taken for a success", status)
		case after < 0 || after > time.Hour || after > 0 && (err == nil || status != http.StatusServiceUnavailable):
			t.Fatalf("%d with %q is asked for again after %v: %v", status, wait, after, err)
		}
		file, err := clients.ReadImport(strings.NewReader("Nom\n"), clients.ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range why.complaints(2, file) {
			if c.row != 2 {
				t.Fatalf("complaint %+v", c)
			}
		}
	})
}
