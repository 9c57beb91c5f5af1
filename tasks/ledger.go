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

// book of one workspace.
type book struct {
	filled  bool                         // the open tasks of before the start are in
	awaited map[string]map[string]uint64 // by employee and task: the commit that must be shown
	shown   map[string]uint64            // by employee: the greatest cursor
	due     map[string]receipts          // by task
}

func newLedger() *ledger { return &ledger{books: map[string]*book{}} }

func (l *ledger) book(workspace string) *book {
	b := l.books[workspace]
	if b == nil {
		b = &book{awaited: map[string]map[string]uint64{}, shown: map[string]uint64{}, due: map[string]receipts{}}
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
	return !b.filled || len(b.due) > 0
}

// await notes that a task waits to be received by these employees and no
// others, since a commit, and says whether there is something to do.
func (l *ledger) await(workspace, task string, number uint64, employees []string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.book(workspace)
	for employee, waiting := range b.awaited {
		if !slices.Contains(employees, employee) {
			delete(waiting, task)
		}
		if len(waiting) == 0 {
			delete(b.awaited, employee)
		}
	}
	for _, employee := range employees {
		b.expect(employee, task, number)
		b.settle(employee, now)
	}
	return len(b.due) > 0
}

// expect the first commit that an employee must be shown to have the task.
func (b *book) expect(employee, task string, number uint64) {
	waiting := b.awaited[employee]
	if waiting == nil {
		waiting = map[string]uint64{}
		b.awaited[employee] = waiting
	}
	_, waits := waiting[task]
	if _, due := b.due[task][employee]; !waits && !due {
		waiting[task] = number
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

// unfilled are the workspaces whose open tasks are to be read.
func (l *ledger) unfilled() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for name, b := range l.books {
		if !b.filled {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// fill says whether the open tasks of a workspace are all in.
func (l *ledger) fill(workspace string, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book(workspace).filled = done
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
