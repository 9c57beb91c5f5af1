package bench

import (
	"fmt"
	"time"
)

// Size is how much is measured.
type Size struct {
	Technicians int           // who pull
	Clients     int           // a multiple of Technicians; each is assigned to two of them
	Connections int           // of the load process, each with one request at a time
	Rounds      int           // the median of which counts
	Duration    time.Duration // of one measurement
	Settle      time.Duration // of silence before memory is read
}

// Full is the size that docs/benchmarks.md reports.
func Full() Size {
	return Size{
		Technicians: 200, Clients: 20_000, Connections: 16, Rounds: 5,
		Duration: 3 * time.Second, Settle: 10 * time.Second,
	}
}

// Small is over in seconds: it shows that the measurement works, not what it
// measures.
func Small() Size {
	return Size{
		Technicians: 20, Clients: 200, Connections: 4, Rounds: 1,
		Duration: 200 * time.Millisecond, Settle: 100 * time.Millisecond,
	}
}

// changed is how many documents of a technician's view a delta brings.
const changed = 10

// perPush is how many documents one push creates.
const perPush = 10

func (s Size) check() error {
	switch {
	case s.Connections < 1 || s.Rounds < 1 || s.Duration <= 0:
		return fmt.Errorf("connections, rounds and duration must be positive")
	case s.Technicians < 1 || s.Clients%s.Technicians != 0:
		return fmt.Errorf("%d clients cannot be shared out evenly among %d technicians", s.Clients, s.Technicians)
	case s.Clients/s.Technicians < changed/2 || s.Clients/s.Technicians >= s.Technicians:
		return fmt.Errorf("each technician must be the first of %d to %d clients, not %d", changed/2, s.Technicians-1, s.Clients/s.Technicians)
	}
	return nil
}

// assigned are the two technicians of a client, by index. Each technician is
// the first of every Technicians-th client, and the second of as many, so
// that all views are of one size and any k*Technicians clients in a row from
// the start are 2*k of everybody's.
func (s Size) assigned(client int) (first, second int) {
	first = client % s.Technicians
	turn := client / s.Technicians
	return first, (first + 1 + turn) % s.Technicians
}
