package web_test

import "testing"

// Probes and scrapes come for ever: a server that is asked nothing else has
// nothing to do, and gives memory back.
func TestProbesAreNoWork(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.token("dan", "")
	for path, want := range map[string]uint64{"/healthz": 0, "/metrics": 0, "/readyz": 0, "/v1/clients": 1} {
		before := w.server.Answered()
		w.do("GET", path, token, nil)
		if got := w.server.Answered() - before; got != want {
			t.Errorf("%s counts as %d requests, want %d", path, got, want)
		}
	}
}
