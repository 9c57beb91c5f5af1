package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/demo"
	"github.com/enroute-field/enroute/device"
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
	duration := 15 * time.Second
	if text := os.Getenv(tormented); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := rand.Uint64N(1 << 32)
	const term = 2 * time.Second
	s := newServers(t, seed, term)
	people := &sender{t: t, address: s.balancer.Address()}
	people.signIn()
	before := people.clients() // the first lists take longer than people are patient
	s.replaces(people, term)
	r, err := fleet.Run(t.Context(), fleet.Options{
		URL: "http://" + s.balancer.Address(), Workspace: demo.Workspace, Email: "dispatcher@demo.example", Password: demo.Password,
		Devices: 8, Duration: duration, Seed: seed, Progress: io.Discard, Patience: 5 * time.Second, Lagging: s.robbing,
		Meanwhile: func(ctx context.Context) error {
			var all errgroup.Group
			for range 3 {
				all.Go(func() error { return people.keepPushing(ctx) })
			}
			all.Go(func() error { return s.torment(ctx) })
			return all.Wait()
		},
	})
	if err != nil {
		t.Fatalf("seed %d, after %v: %v\n%s", seed, s.done, err, s.logs())
	}
	t.Logf("seed %d, %v\n%s", seed, s.done, r)
	people.sendAllAgain()
	if got, want := people.clients(), before+len(people.sent)*perPush; got != want {
		t.Errorf("%d clients, should be %d", got, want)
	}
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

// What holds of one server holds of three, whichever somebody reaches, and
// whatever becomes of the one that serves.
func TestNodes(t *testing.T) {
	t.Parallel()
	s := newServers(t, 1, 2*time.Minute)
	people := &sender{t: t, address: s.balancer.Address()}
	people.signIn()
	before := people.clients()
	s.streamsEverywhere()
	for range 2 {
		s.handsOver(people)
	}
	for _, trouble := range []faultnet.Trouble{
		{Requests: faultnet.Lose, Answers: faultnet.Lose, Refuse: true},
		{Requests: faultnet.Hold, Answers: faultnet.Hold},
	} {
		s.cutOff(people, trouble)
	}
	people.sendAllAgain()
	if got, want := people.clients(), before+len(people.sent)*perPush; got != want {
		t.Errorf("%d clients, should be %d", got, want)
	}
	s.stop()
}

// streamsEverywhere expects that a stream through any node brings what is
// written by any node, and ends when another one revokes its phone.
func (s *servers) streamsEverywhere() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var phones, desks []*device.Client
	for i, n := range s.nodes {
		phones = append(phones, s.login(n, "tech1@demo.example", &device.Hardware{ID: fmt.Sprint("phone-", i)}))
		desks = append(desks, s.login(n, "admin@demo.example", nil))
	}
	page, err := phones[0].Pull(ctx, "", 5000)
	if err != nil || page.More {
		s.t.Fatalf("pull: %v", err)
	}
	client := page.Put[slices.IndexFunc(page.Put, func(d device.Document) bool { return d.Kind == "client" })].Key
	var streams []device.Stream
	for i, phone := range phones {
		stream, err := phone.Live(ctx, "")
		if err != nil {
			s.t.Fatalf("stream through node %d: %v", i, err)
		}
		defer func() { _ = stream.Close() }()
		streams = append(streams, stream)
	}
	for by, desk := range desks {
		note := fmt.Sprint("written by node ", by)
		if err := desk.Do(ctx, http.MethodPatch, "/v1/clients/"+client.ID, device.Fields{"note": note}, nil); err != nil {
			s.t.Fatal(err)
		}
		for i, stream := range streams {
			s.brings(ctx, stream, client, note, i)
		}
	}
	for i, phone := range phones {
		if err := desks[(i+1)%len(desks)].Do(ctx, http.MethodDelete, fmt.Sprint("/v1/devices/phone-", i), nil, nil); err != nil {
			s.t.Fatal(err)
		}
		for err = nil; err == nil; {
			_, err = streams[i].Next(ctx)
		}
		if ctx.Err() != nil {
			s.t.Errorf("the stream of the revoked phone through node %d does not end", i)
		}
		_, err := phone.Pull(ctx, page.Cursor, 0)
		if p, ok := errors.AsType[*device.Problem](err); !ok || p.Code != "device_revoked" {
			s.t.Errorf("a pull of the revoked phone through node %d gives %v", i, err)
		}
	}
}

// brings waits until a stream shows the client with this note.
func (s *servers) brings(ctx context.Context, stream device.Stream, client device.Key, note string, through int) {
	s.t.Helper()
	for {
		page, err := stream.Next(ctx)
		if err != nil {
			s.t.Fatalf("the stream through node %d: %v\n%s", through, err, s.logs())
		}
		for _, d := range page.Put {
			if d.Key == client && strings.Contains(string(d.Body), note) {
				return
			}
		}
	}
}

// login signs in at a node, each request on a connection of its own.
func (s *servers) login(n *node, email string, phone *device.Hardware) *device.Client {
	s.t.Helper()
	anybody := device.NewClient("http://"+n.listen, device.ClientOptions{
		HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
	c, _, err := anybody.Login(s.t.Context(), device.Credentials{Workspace: demo.Workspace, Email: email, Password: demo.Password, Device: phone})
	if err != nil {
		s.t.Fatalf("%s at %s: %v\n%s", email, n.listen, err, s.logs())
	}
	return c
}

// handsOver shuts the serving node down: whoever comes next is answered by
// another one long before the term is over.
func (s *servers) handsOver(people *sender) {
	s.t.Helper()
	leaving := s.holder()
	if code := leaving.stop(); code != 0 {
		s.t.Errorf("it ends with %d", code)
	}
	began := time.Now()
	if !people.push(people.newPush()) {
		s.t.Errorf("a push right after is not answered\n%s", s.logs())
	}
	took := time.Since(began)
	s.t.Logf("handed over in %s", took)
	if took > 5*time.Second {
		s.t.Error("that is not at once")
	}
	if s.holder() == leaving {
		s.t.Error("the seat is still that of the node that left")
	}
	leaving.start()
}

// replaces kills the serving node: another one serves within the term, and
// what was acknowledged is there.
func (s *servers) replaces(people *sender, term time.Duration) {
	s.t.Helper()
	if !people.push(people.newPush()) {
		s.t.Fatalf("no push before\n%s", s.logs())
	}
	dies := s.holder()
	_ = dies.crash()
	began := time.Now()
	for !people.push(people.newPush()) && time.Since(began) < patience {
	}
	took := time.Since(began)
	s.t.Logf("replaced in %s, the term being %s", took, term)
	if took > term+3*time.Second { // which a busy machine may need to load the workspace
		s.t.Errorf("that is too late\n%s", s.logs())
	}
	if err := dies.mend(); err != nil {
		s.t.Fatal(err)
	}
	people.sendAllAgain()
}

// cutOff cuts the serving node off from the database. It goes on answering
// those for whom there is nothing new, and refuses work in a way that makes
// phones keep it. When the network is back, so is everything, without a new
// start.
func (s *servers) cutOff(everybody *sender, trouble faultnet.Trouble) {
	s.t.Helper()
	n := s.holder()
	people := &sender{t: s.t, address: n.listen, token: everybody.token}
	nothingNew := "/v1/sync/pull?cursor=" + people.pullAll()
	n.store.Set(trouble)
	s.isAnswered(people, nothingNew)
	began := time.Now()
	status, answer, header := people.exchange(http.MethodPost, "/v1/sync/push", everybody.newPush().body)
	s.t.Logf("%+v: refused after %s", trouble, time.Since(began))
	if status != http.StatusServiceUnavailable || !strings.Contains(answer, `"unavailable"`) || header.Get("Retry-After") == "" {
		s.t.Errorf("a push gets %d %s %v", status, answer, header)
	}
	s.isAnswered(people, nothingNew)
	n.store.Heal()
	if err := n.ready(s.t.Context()); err != nil {
		s.t.Fatalf("after the network is back: %v\n%s", err, s.logs())
	}
	if !people.push(people.newPush()) {
		s.t.Errorf("no push after the network is back\n%s", s.logs())
	}
	everybody.sent = append(everybody.sent, people.sent...)
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
