package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// listed are the kinds that have lists.
var listed = []string{"client", "contact", "location", "equipment", "task", "employee", "team", "mobileProfile", "conflict"}

// lookAtList lets somebody look at one.
func (w *world) lookAtList(ctx context.Context) error {
	return w.checkList(ctx, pick(w, people).id, pick(w, listed))
}

// checkLists is for a quiet moment: everybody looks at some list, and
// sometimes the whole store is compared with its journal.
func (w *world) checkLists(ctx context.Context) error {
	for _, p := range people {
		if err := w.checkList(ctx, p.id, pick(w, listed)); err != nil {
			return err
		}
	}
	if w.chance(10) {
		return w.checkStore(ctx)
	}
	return nil
}

// checkList: a list has what its reader sees of that kind under the present
// head, once and in order, however long its pages are.
func (w *world) checkList(ctx context.Context, user, kind string) error {
	if !w.model.active(user) {
		return nil
	}
	n := w.server.next()
	got, total, err := w.list(ctx, n, user, sync.ListRequest{Kind: kind, Limit: 1 + w.rng.IntN(20)})
	if err != nil {
		return tolerable(w.refused("list of "+kind, asked{sole: n == w.server.holder()}, err))
	}
	if n.robbed() {
		return nil // it may lag
	}
	if err := w.read(ctx); err != nil { // the list may have begun a day
		return err
	}
	var want []string
	for key, d := range w.model.view(user) {
		if key.Kind == kind && (kind != "client" || !d.flag("disabled")) {
			want = append(want, fmt.Sprintf("%s@%d", key.ID, d.rev))
		}
	}
	slices.Sort(want)
	if slices.Sort(got); !slices.Equal(got, want) || total != len(want) {
		return violated("list", "%s is shown %d %s %v at %d, sees %v", user, total, kind, got, w.model.head, want)
	}
	return nil
}

// list reads a list page by page.
func (w *world) list(ctx context.Context, n *node, user string, req sync.ListRequest) (found []string, total int, err error) {
	for {
		page, err := n.ws.List(ctx, sync.Actor{User: user, Name: user}, req)
		if err != nil {
			return nil, 0, err
		}
		total = page.Total
		for _, body := range page.Items {
			var d struct {
				ID  string
				Rev uint64
			}
			if err := json.Unmarshal(body, &d); err != nil {
				return nil, 0, fmt.Errorf("read an item of the list: %w", err)
			}
			found = append(found, fmt.Sprintf("%s@%d", d.ID, d.Rev))
		}
		if req.After = page.Next; page.Next == "" {
			return found, total, nil
		}
	}
}

// today is the date in the workspace's zone at the node whose clock is behind
// all others, and at the one whose clock is ahead of them.
func (w *world) today() (earliest, latest string) {
	for i, n := range w.server.nodes {
		day := n.now().In(w.model.zone()).Format(time.DateOnly)
		if i == 0 {
			earliest, latest = day, day
		}
		earliest, latest = min(earliest, day), max(latest, day)
	}
	return earliest, latest
}

// sameDay says whether it is the workspace's date at every node.
func (w *world) sameDay() bool {
	earliest, latest := w.today()
	return w.model.day == earliest && w.model.day == latest
}
