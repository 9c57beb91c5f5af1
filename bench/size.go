package bench

import (
	"fmt"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// Size is how much is measured.
type Size struct {
	Technicians int           // who pull
	Clients     int           // a multiple of Technicians; each is assigned to two of them
	Connections int           // of the load process, each with one request at a time
	Rounds      int           // the median of which counts
	Duration    time.Duration // of one measurement
	Settle      time.Duration // of silence before memory is read

	View    int           // documents of a short first pull
	BigView int           // documents of a long one
	Moved   int           // clients handed over from one technician to another
	Every   time.Duration // between the writes that streams are to show
	Live    time.Duration // of one measurement of streams
	Streams int           // open at once; a multiple of Technicians

	Others int // workspaces that several nodes share out among themselves

	Grown      [2]int        // documents of the workspaces compared; each a multiple of 4*Technicians
	Workspaces int           // of a server with many
	Each       int           // documents of each of them
	Idle       time.Duration // without a request, until workspaces have certainly left memory
}

// Full is the size that docs/benchmarks.md reports.
func Full() Size {
	return Size{
		Technicians: 200, Clients: 20_000, Connections: 16, Rounds: 5,
		Duration: 3 * time.Second, Settle: 10 * time.Second,
		View: 200, BigView: 5000, Moved: 1000,
		Every: 50 * time.Millisecond, Live: 10 * time.Second, Streams: 10_000, Others: 12,
		Grown: [2]int{20_000, 1_000_000}, Workspaces: 1000, Each: 1000, Idle: 20 * time.Second,
	}
}

// Small is over in seconds: it shows that the measurement works, not what it
// measures.
func Small() Size {
	return Size{
		Technicians: 20, Clients: 200, Connections: 4, Rounds: 1,
		Duration: 100 * time.Millisecond, Settle: 50 * time.Millisecond,
		View: 40, BigView: 1200, Moved: 20,
		Every: 10 * time.Millisecond, Live: 100 * time.Millisecond, Streams: 60, Others: 4,
		Grown: [2]int{400, 800}, Workspaces: 5, Each: 20, Idle: 50 * time.Millisecond,
	}
}

// changed is how many documents of a technician's view a delta brings.
const changed = 10

// perPush is how many documents one push creates.
const perPush = 10

// family is how many documents a client is in the workspaces that grow:
// itself, a location, a contact and a piece of equipment.
const family = 4

func (s Size) check() error {
	switch {
	case s.Connections < 2 || s.Rounds < 1 || s.Duration <= 0 || s.Every <= 0 || s.Live < s.Every:
		return fmt.Errorf("connections must be 2 at least; rounds, duration and the time between writes positive")
	case s.Technicians < 3 || s.Technicians*changed/2 > sync.MaxMutations:
		return fmt.Errorf("technicians must be 3 to %d", 2*sync.MaxMutations/changed)
	case s.Streams < s.Technicians || s.Streams%s.Technicians != 0:
		return fmt.Errorf("%d streams cannot be shared out evenly among %d technicians", s.Streams, s.Technicians)
	case s.Others < 1 || s.Others > s.Connections:
		return fmt.Errorf("1 to %d other workspaces can be shared out among the connections", s.Connections)
	case s.Moved < 1 || s.Moved > sync.MaxMutations:
		return fmt.Errorf("1 to %d clients can be handed over in one push", sync.MaxMutations)
	}
	for _, clients := range []int{s.Clients, s.Grown[0] / family, s.Grown[1] / family} {
		if err := (spread{s.Technicians, clients}).check(); err != nil {
			return err
		}
	}
	return nil
}

// writes is how many writes fall into one measurement of streams.
func (s Size) writes() int { return int(s.Live / s.Every) }

// spread is how clients are assigned: each technician is the first of every
// technicians-th client, and the second of as many, so that all views are of
// one size, and the clients up to k*technicians are 2*k of everybody's.
type spread struct{ technicians, clients int }

func (s spread) check() error {
	if s.clients%s.technicians != 0 {
		return fmt.Errorf("%d clients cannot be shared out evenly among %d technicians", s.clients, s.technicians)
	}
	if s.clients/s.technicians < changed/2 {
		return fmt.Errorf("%d technicians need %d clients at least", s.technicians, s.technicians*changed/2)
	}
	return nil
}

// assigned are the two technicians of a client, by index.
func (s spread) assigned(client int) (first, second int) {
	first = client % s.technicians
	turn := client / s.technicians % (s.technicians - 1)
	return first, (first + 1 + turn) % s.technicians
}

// touched is how many clients, from the first, are changed to be a delta of
// changed documents for everybody.
func (s spread) touched() int { return s.technicians * changed / 2 }
