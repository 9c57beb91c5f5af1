// Package fleet lets many reference devices, and one dispatcher, work against
// a running server, over connections that lose and repeat answers, and then
// verifies that every device holds what the server says its user may see, and
// that nothing acknowledged is missing or there twice.
package fleet

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/device"
)

// Options of a run.
type Options struct {
	URL       string // of the server, "http://127.0.0.1:8080"
	Workspace string
	Email     string // of an office account
	Password  string // of that account and of the technicians
	Devices   int
	Duration  time.Duration
	Seed      uint64
	Progress  io.Writer
	// Patience, if set, is how long anybody waits for an answer, and says that
	// servers and the network to them may fail: what was not answered is tried
	// again and does not end the run.
	Patience time.Duration
	// Lagging says that an answer may know less than one that was given before
	// it was asked for, as it can be where nodes are robbed of their seats.
	Lagging bool
	// Meanwhile, if set, runs beside the work, and returns soon after its
	// context ends; only then does the verification begin.
	Meanwhile func(ctx context.Context) error
}

// Report is what was done and verified.
type Report struct {
	Devices, Technicians           int
	Syncs, Streams, Lost, Repeated int64 // attempts; answers that did not arrive; requests sent twice
	Acknowledged, Refused          int   // mutations
	DeskChanges                    int64
	Documents                      int // compared, over all devices
	Items                          int // added in the field and found once
	// Revs are what each acknowledged mutation led to.
	Revs map[uuid.UUID]uint64
}

// String says what was verified, for people.
func (r *Report) String() string {
	return fmt.Sprintf(`%d devices of %d technicians: %d syncs, %d streams; %d answers lost, %d requests sent twice
%d mutations acknowledged, %d refused with their reason; %d changes by the dispatcher meanwhile
verified: every device holds exactly what its user sees by REST (%d documents compared, revs included)
verified: each of %d items added in the field stands once on its task
verified: no device had to start over
`, r.Devices, r.Technicians, r.Syncs, r.Streams, r.Lost, r.Repeated,
		r.Acknowledged, r.Refused, r.DeskChanges, r.Documents, r.Items)
}

// signInsAtOnce bounds how many devices sign in together: the server hashes
// few passwords at a time.
const signInsAtOnce = 4

// Run signs everybody in, lets them work, and verifies. The error says what
// was found wrong.
func Run(ctx context.Context, o Options) (*Report, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = o.Devices + 1
	defer transport.CloseIdleConnections()
	anybody := device.NewClient(o.URL, device.ClientOptions{HTTP: &http.Client{Transport: transport, Timeout: o.Patience}})
	office, _, err := anybody.Login(ctx, device.Credentials{Workspace: o.Workspace, Email: o.Email, Password: o.Password})
	if err != nil {
		return nil, err
	}
	d := &desk{client: office, rand: rand.New(rand.NewPCG(o.Seed, 0)), patient: o.Patience > 0}
	if err := d.look(ctx); err != nil {
		return nil, err
	}
	fmt.Fprintf(o.Progress, "signing in %d devices of %d technicians\n", o.Devices, len(d.technicians))
	members, err := signIn(ctx, o, anybody, d.technicians)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(o.Progress, "working for %s\n", o.Duration)
	if err := work(ctx, o, d, members); err != nil {
		return nil, err
	}
	fmt.Fprintln(o.Progress, "verifying")
	r := &Report{Devices: len(members), Technicians: min(len(d.technicians), len(members)), DeskChanges: d.done, Revs: map[uuid.UUID]uint64{}}
	if err := verify(ctx, office, members, r); err != nil {
		return nil, err
	}
	if n := members[0].net.told.older.Load(); n > 0 && !o.Lagging {
		return nil, fmt.Errorf("%d answers knew less than one that was given before they were asked for", n)
	}
	return r, nil
}

func signIn(ctx context.Context, o Options, anybody *device.Client, technicians []employee) ([]*member, error) {
	members, heads := make([]*member, o.Devices), &told{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(signInsAtOnce)
	for i := range members {
		g.Go(func() error {
			who := technicians[i%len(technicians)]
			c, session, err := anybody.Login(ctx, device.Credentials{
				Workspace: o.Workspace, Email: who.Email, Password: o.Password,
				Device: &device.Hardware{ID: fmt.Sprintf("simulated-%d-%03d", o.Seed, i), Name: "simulated", Platform: "go"},
			})
			if err != nil {
				return fmt.Errorf("%s: %w", who.Email, err)
			}
			m, err := newMember(ctx, c, session, rand.New(rand.NewPCG(o.Seed, uint64(i+1))), heads)
			if err != nil {
				return err
			}
			m.patient = o.Patience > 0
			members[i] = m
			return nil
		})
	}
	return members, g.Wait()
}

// work lets everybody work until the time is over.
func work(ctx context.Context, o Options, desk *desk, members []*member) error {
	working, end := context.WithTimeout(ctx, o.Duration)
	defer end()
	g, working := errgroup.WithContext(working)
	if o.Meanwhile != nil {
		g.Go(func() error { return o.Meanwhile(working) })
	}
	g.Go(func() error { return desk.work(working) })
	for _, m := range members {
		g.Go(func() error { return m.work(working) })
	}
	return g.Wait()
}

// pause waits for a random time up to d; false when ctx ends first.
func pause(ctx context.Context, r *rand.Rand, d time.Duration) bool {
	t := time.NewTimer(time.Duration(r.Int64N(int64(d))))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
