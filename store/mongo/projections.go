package mongo

import (
	"context"
	"fmt"
	"log/slog"
	stdsync "sync"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
)

// journalReader is what projections need of the journal.
type journalReader interface {
	// commits calls yield for each commit of a history from number from up to
	// and with to, in order.
	commits(ctx context.Context, history string, from, to uint64, yield func(*sync.Commit) error) error
	// head is the number of the newest commit.
	head(ctx context.Context, history string) (uint64, error)
}

// projections are what is read off the journals: current documents, the
// numbers of the commits that changed them, and lists. They follow the
// journals from behind. What this process has appended and is not projected
// yet lies in memory; what others have is read from the journal, when a query
// needs it.
//
// The marks, durable, say up to which commit of a history all is written, and
// are raised only afterwards. So who comes after a crash goes on from the mark.
// What is done twice has no second effect, and what comes late harms nothing
// newer: see documents and lists.
type projections struct {
	journal journalReader
	docs    *documents
	lists   *lists
	marks   *marks
	log     *slog.Logger
	limits  listing.Limits
	state   *progress
	workers stdsync.WaitGroup
	cancel  context.CancelFunc
}

// workers is how many histories are projected at once: most of the time is
// spent waiting for the database.
const workers = 4

// newProjections starts following.
func newProjections(db *driver.Database, idx sync.Indexer, j journalReader, log *slog.Logger) (*projections, error) {
	p := &projections{
		journal: j, docs: newDocuments(db), lists: newLists(db, idx), marks: newMarks(db, idx.Version()),
		log: log, limits: listing.DefaultLimits(), state: newProgress(),
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	for range workers {
		p.workers.Go(func() { p.work(ctx) })
	}
	return p, nil
}

// close frees who waits and stops what is under way: the next who opens the
// database goes on from there.
func (p *projections) close() {
	p.state.close()
	p.cancel()
	p.workers.Wait()
}

// appended hears of commits that are durable, in order.
func (p *projections) appended(history string, commits []*sync.Commit) {
	if len(commits) > 0 {
		p.state.appended(history, commits)
	}
}

// documents gives current versions: at least as new as what this process has
// appended, and as what was there when it first met the history.
func (p *projections) documents(ctx context.Context, history string, keys []sync.Key) ([]sync.Version, error) {
	if err := p.state.believable(ctx, history); err != nil {
		return nil, fmt.Errorf("documents: %w", err)
	}
	found, rest := p.state.overlay(history, keys)
	rows, err := p.docs.read(ctx, history, rest)
	return append(found, rows...), err
}

// revisions gives the numbers of the commits that changed a document.
func (p *projections) revisions(ctx context.Context, history string, head uint64, key sync.Key, before uint64, limit int) ([]uint64, error) {
	if _, err := p.reach(ctx, history, ofDocuments, head); err != nil {
		return nil, err
	}
	return p.docs.numbers(ctx, history, key, before, limit)
}

// list answers a query under a head. A program of another version may throw
// the make away that is being read; then it is there no more afterwards.
func (p *projections) list(ctx context.Context, history string, head uint64, q sync.Query) (sync.Listing, error) {
	for {
		mk, err := p.reach(ctx, history, ofLists, head)
		if err != nil {
			return sync.Listing{}, err
		}
		out, err := p.lists.answer(ctx, mk, q, p.limits)
		if err != nil {
			return sync.Listing{}, err
		}
		stands, err := p.marks.stands(ctx, history, mk)
		if stands || err != nil {
			return out, err
		}
		p.state.mislaid(history)
	}
}

// reach waits until a side shows commit head, and gives the lists' make.
func (p *projections) reach(ctx context.Context, history string, s side, head uint64) (mk string, err error) {
	if known := p.state.known(history); head > known {
		there, err := p.journal.head(ctx, history)
		if err != nil {
			return "", fmt.Errorf("read the head: %w", err)
		}
		if head > there {
			return "", fmt.Errorf("commit %d is asked for, the head is %d", head, there)
		}
		p.state.others(history, there)
	}
	return p.state.reach(ctx, history, s, head)
}

// drop removes all that is projected of a history that is to be forgotten.
func (p *projections) drop(ctx context.Context, history string) error {
	if err := p.state.forget(ctx, history); err != nil {
		return err
	}
	all, err := p.marks.of(ctx, history)
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := p.lists.drop(ctx, m.Make); err != nil {
			return err
		}
	}
	if err := p.docs.drop(ctx, history); err != nil {
		return err
	}
	return p.marks.drop(ctx, history)
}
