package main

import (
	"strings"
	"testing"
)

// A fleet at work against the demo ends with what it should have, over the
// real client, connections and streams.
func TestSimulate(t *testing.T) {
	t.Parallel()
	p := serve(t, nil, "--demo", "--data", t.TempDir())
	out, errs, code := run(t, "simulate", "--url", p.url, "--devices", "8", "--minutes", "0.05", "--seed", "7")
	if code != 0 || strings.Count(out, "verified:") != 3 {
		t.Errorf("it ended with %d:\n%s%s", code, out, errs)
	}
	p.end()
}

func TestSimulateSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--devices", "0"}, "must be positive"},
		{[]string{"--url", "http://127.0.0.1:1"}, "sign in"},
	} {
		_, errs, code := run(t, append([]string{"simulate"}, c.args...)...)
		if code == 0 || !strings.Contains(errs, c.want) {
			t.Errorf("%v ended with %d: %s", c.args, code, errs)
		}
	}
}
