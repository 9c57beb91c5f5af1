package main

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/demo"
	"github.com/enroute-field/enroute/device/fleet"
	"github.com/enroute-field/enroute/store/faultnet"
	"github.com/enroute-field/enroute/sync"
)

// tormented, in the environment, is for how long TestNodesUnderTorment
// torments ("10m").
const tormented = "ENROUTE_TEST_TORMENT"

// Phones and a dispatcher work by a balancer on three nodes that are killed,
// frozen, cut off from each other and from the database and robbed of their
// seats. When it is over, every phone holds exactly what its user may see, and
// what was acknowledged is in the journal once.
func TestNodesUnderTorment(t *testing.T) {
	t.Parallel()
	duration := 12 * time.Second
	if text := os.Getenv(tormented); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := rand.Uint64N(1 << 32)
	s := newServers(t, seed, 2*time.Second)
	people := &sender{t: t, address: s.balancer.Address()}
	people.signIn()
	people.clients() // the first lists take longer than people are patient
	r, err := fleet.Run(t.Context(), fleet.Options{
		URL: "http://" + s.balancer.Address(), Workspace: demo.Workspace, Email: "dispatcher@demo.example", Password: demo.Password,
		Devices: 8, Duration: duration, Seed: seed, Progress: io.Discard, Patience: 5 * time.Second, Meanwhile: s.torment,
	})
	if err != nil {
		t.Fatalf("seed %d, after %v: %v\n%s", seed, s.done, err, s.logs())
	}
	t.Logf("seed %d, %v\n%s", seed, s.done, r)
	s.stop()
	s.holds(r.Revs)
	s.verify()
}

// holds expects every acknowledged mutation in the journal once, with what
// was answered, and no other mutation twice.
func (s *servers) holds(revs map[uuid.UUID]uint64) {
	s.t.Helper()
	found := map[uuid.UUID]uint64{}
	err := s.store.Journal(s.t.Context(), demo.Workspace, 1, 0, func(c *sync.Commit) error {
		for _, o := range c.Outcomes {
			if _, twice := found[o.ID]; twice {
				s.t.Errorf("commit %d has mutation %s again", c.Number, o.ID)
			}
			var result struct{ Rev uint64 }
			if err := json.Unmarshal(o.Result, &result); err != nil {
				return err
			}
			found[o.ID] = result.Rev
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(revs) == 0 {
		s.t.Error("nothing was acknowledged")
	}
	for id, rev := range revs {
		if got, ok := found[id]; !ok || got != rev {
			s.t.Errorf("mutation %s was acknowledged at %d; the journal has it at %d", id, rev, got)
		}
	}
}

// verify compares all that is read off the journal with it.
func (s *servers) verify() {
	s.t.Helper()
	began := time.Now()
	registry, err := newRegistry()
	if err != nil {
		s.t.Fatal(err)
	}
	v, err := sync.Verify(s.t.Context(), s.store, registry, demo.Workspace)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range v.Problems {
		s.t.Error(p)
	}
	s.t.Logf("%d commits, %d documents, %d outcomes verified in %s", v.Commits, v.Documents, v.Outcomes, time.Since(began))
}

// A node that is shut down hands over at once: whoever comes next is answered
// by another one long before the term is over.
func TestHandOver(t *testing.T) {
	t.Parallel()
	s := newServers(t, 1, time.Minute)
	people := &sender{t: t, address: s.balancer.Address()}
	people.signIn()
	before := people.clients()
	for range 2 {
		leaving := s.holder()
		if code := leaving.stop(); code != 0 {
			t.Errorf("it ends with %d", code)
		}
		began := time.Now()
		if !people.push(people.newPush()) {
			t.Errorf("a push right after is not answered\n%s", s.logs())
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a push right after took %s", took)
		} else {
			t.Logf("handed over in %s", took)
		}
		if s.holder() == leaving {
			t.Error("the seat is still that of the node that left")
		}
		if err := leaving.launch(); err != nil {
			t.Fatal(err)
		}
		if err := leaving.ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	people.sendAllAgain()
	if got, want := people.clients(), before+len(people.sent)*perPush; got != want {
		t.Errorf("%d clients, should be %d", got, want)
	}
	s.stop()
}

// Cut off from the database, the node that serves goes on answering those for
// whom there is nothing new, and refuses work in a way that makes phones keep
// it. When the network is back, so is everything, without a new start.
func TestDatabaseUnreachable(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]faultnet.Trouble{
		"refuses":      {Requests: faultnet.Lose, Answers: faultnet.Lose, Refuse: true},
		"late":         {Requests: faultnet.Hold, Answers: faultnet.Hold},
		"answers lost": {Answers: faultnet.Lose},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServers(t, 1, 2*time.Minute)
			s.cutOff(trouble)
			s.stop()
		})
	}
}

func (s *servers) cutOff(trouble faultnet.Trouble) {
	s.t.Helper()
	entering := &sender{t: s.t, address: s.balancer.Address()}
	entering.signIn() // somebody must be served for a node to serve
	n := s.holder()
	people := &sender{t: s.t, address: n.listen, token: entering.token}
	before := people.clients()
	nothingNew := "/v1/sync/pull?cursor=" + people.pullAll()
	n.store.Set(trouble)
	s.isAnswered(people, nothingNew)
	status, answer, header := people.exchange(http.MethodPost, "/v1/sync/push", people.newPush().body)
	if status != http.StatusServiceUnavailable || !strings.Contains(answer, `"unavailable"`) || header.Get("Retry-After") == "" {
		s.t.Errorf("a push gets %d %s %v", status, answer, header)
	}
	s.isAnswered(people, nothingNew)
	n.store.Heal()
	if err := n.ready(s.t.Context()); err != nil {
		s.t.Fatalf("after the network is back: %v\n%s", err, s.logs())
	}
	people.sendAllAgain()
	if got, want := people.clients(), before+len(people.sent)*perPush; got != want {
		s.t.Errorf("%d clients, should be %d", got, want)
	}
}

// isAnswered expects an answer from memory, which takes no time.
func (s *servers) isAnswered(people *sender, nothingNew string) {
	s.t.Helper()
	began := time.Now()
	if status, answer := people.status(http.MethodGet, nothingNew, nil); status != http.StatusOK {
		s.t.Errorf("a pull of nothing new gets %d %s\n%s", status, answer, s.logs())
	}
	if took := time.Since(began); took > time.Second {
		s.t.Errorf("a pull of nothing new takes %s", took)
	}
}
