package tasks

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// counter holds the next number of a task that is not lent yet.
var counter = sync.Key{Kind: "counter", ID: KindTask}

// setNumber gives a new task a number unless it brings one from a block that
// was lent. Offline a number that is taken is replaced: the task must not be
// lost for it.
func setNumber(tx *sync.Tx, ch *sync.Change) error {
	given := members.Number(ch.New.Fields, "number")
	if given > 0 {
		taken, err := numberTaken(tx, given)
		if err != nil {
			return err
		}
		if !taken || !ch.Offline {
			return nil // the engine refuses one that is taken
		}
	}
	free, err := takeNumber(tx)
	if err != nil {
		return fmt.Errorf("number %s: %w", ch.Key, err)
	}
	ch.New.Fields["number"] = free
	if given > 0 {
		ch.Conflict(sync.Conflict{
			Field: "number", Kept: free, Discarded: given,
			Level: sync.LevelDecide, Reason: "duplicate",
		})
	}
	return nil
}

// takeNumber takes the next number off the counter, passing over those that
// somebody has given by hand.
func takeNumber(tx *sync.Tx) (float64, error) {
	doc, err := tx.Get(counter)
	if errors.Is(err, sync.ErrMissing) {
		return firstNumber(tx)
	}
	if err != nil {
		return 0, err
	}
	n, err := nextFree(tx, members.Number(doc.Fields, "next"))
	if err != nil {
		return 0, err
	}
	return n, tx.Update(counter, sync.Fields{"next": n + 1})
}

// firstNumber begins the counter.
func firstNumber(tx *sync.Tx) (float64, error) {
	n, err := nextFree(tx, 1)
	if err != nil {
		return 0, err
	}
	return n, tx.Create(counter, sync.Fields{"next": n + 1})
}

// nextFree is the first number from n on that no task has.
func nextFree(r sync.Reader, n float64) (float64, error) {
	for {
		taken, err := numberTaken(r, n)
		if err != nil || !taken {
			return n, err
		}
		n++
	}
}

func numberTaken(r sync.Reader, n float64) (bool, error) {
	id, err := r.ByUnique(KindTask, "number", strconv.FormatFloat(n, 'f', -1, 64))
	return id != "", err
}
