package tasks

import (
	"slices"
	"sync"
	"time"
)

// ledger remembers, per workspace, which tasks still wait to be received by
// whom, how far each employee's devices have come, and which receipts are due
// to be written. It never blocks for long: devices' requests go through it.
type ledger struct {
	mu    sync.Mutex
	books map[string]*book
}

// receipts are when employees were seen to have a task.
type receipts map[string]time.Time

// waiting is a task that waits for its receipts.
type waiting struct {
	task      string
	rev       uint64 // of the task
	number    uint64 // a device that was shown this has it
	employees []string
}

// book of one workspace.
type book struct {
	stale   bool                         // the open tasks are to be read
	reading map[string]uint64            // while they are: by task, the newest commit known of it; else nil
	awaited map[string]map[string]uint64 // by employee and task: the commit that must be shown
	shown   map[string]uint64            // by employee: the greatest cursor
	due     map[string]receipts          // by task
}

func newLedger() *ledger { return &ledger{books: map[string]*book{}} }

func (l *ledger) book(workspace string) *book {
	b := l.books[workspace]
	if b == nil {
		b = &book{stale: true, awaited: map[string]map[string]uint64{}, shown: map[string]uint64{}, due: map[string]receipts{}}
		l.books[workspace] = b
	}
	return b
}

// show notes how far an employee's device has come, and says whether there is
// something to do.
func (l *ledger) show(workspace, employee string, number uint64, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.book(workspace)
	b.shown[employee] = max(b.shown[employee], number)
	b.settle(employee, now)
	return b.stale || len(b.due) > 0
}

// await notes that a task, as a commit left it, waits to be received by these
// employees and no others, who have it when they were shown a number. It says
// whether there is something to do.
func (l *ledger) await(workspace string, at waiting, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.book(workspace)
	if at.rev < b.reading[at.task] {
		return false // read before it changed
	}
	if b.reading != nil {
		b.reading[at.task] = at.rev
	}
	for employee, tasks := range b.awaited {
		if !slices.Contains(at.employees, employee) {
			delete(tasks, at.task)
		}
		if len(tasks) == 0 {
			delete(b.awaited, employee)
		}
	}
	for _, employee := range at.employees {
		b.expect(employee, at.task, at.number)
		b.settle(employee, now)
	}
	return len(b.due) > 0
}

// expect the first commit that an employee must be shown to have the task.
func (b *book) expect(employee, task string, number uint64) {
	tasks := b.awaited[employee]
	if tasks == nil {
		tasks = map[string]uint64{}
		b.awaited[employee] = tasks
	}
	_, waits := tasks[task]
	if _, due := b.due[task][employee]; !waits && !due {
		tasks[task] = number
	}
}

// settle makes due what the employee has been shown.
func (b *book) settle(employee string, now time.Time) {
	for task, number := range b.awaited[employee] {
		if number > b.shown[employee] {
			continue
		}
		if b.due[task] == nil {
			b.due[task] = receipts{}
		}
		b.due[task][employee] = now
		delete(b.awaited[employee], task)
	}
}

// outdate says that the open tasks of a workspace are to be read again.
func (l *ledger) outdate(workspace string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book(workspace).stale = true
}

// begin the reading of open tasks: the workspaces where it is due, sorted.
func (l *ledger) begin() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for name, b := range l.books {
		if b.stale {
			b.stale, b.reading = false, map[string]uint64{}
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// end of a reading, which failed or did not.
func (l *ledger) end(workspace string, failed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.book(workspace)
	b.reading, b.stale = nil, b.stale || failed
}

// take the receipts that are due, by workspace and task.
func (l *ledger) take() map[string]map[string]receipts {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]map[string]receipts{}
	for name, b := range l.books {
		if len(b.due) > 0 {
			out[name], b.due = b.due, map[string]receipts{}
		}
	}
	return out
}
