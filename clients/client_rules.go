package clients

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

func clientRules(tx *sync.Tx, ch *sync.Change) error {
	if ch.New == nil {
		return deleteWithClient(tx, ch.Key)
	}
	for _, field := range []string{"parentId", "payerId"} {
		if err := checkCycle(tx, ch, field); err != nil {
			return err
		}
	}
	if err := company.CheckCurrency(ch.New.Fields, "currency"); err != nil {
		return err
	}
	if err := keepForCreator(tx, ch); err != nil {
		return err
	}
	if err := settleDuplicates(tx, ch); err != nil {
		return err
	}
	if err := narrowPermissions(tx, ch); err != nil {
		return err
	}
	return company.SetE164(tx, ch, "phone", "officePhone")
}

// keepForCreator assigns a client made in the field to its maker if he would
// not see it otherwise.
func keepForCreator(r sync.Reader, ch *sync.Change) error {
	if ch.Op != sync.Create || r.Role() != sync.RoleTechnician {
		return nil
	}
	profile, err := company.ProfileOf(r, r.Actor().User)
	if err != nil {
		return err
	}
	if profile.FilterClients {
		ch.New.Fields["assignedEmployeeIds"] = members.List(r.Actor().User)
	}
	return nil
}

// checkCycle refuses a chain of parents or payers that comes back to its start.
func checkCycle(r sync.Reader, ch *sync.Change, field string) error {
	if !ch.Changed(field) {
		return nil
	}
	seen := map[string]bool{ch.Key.ID: true}
	for id := members.Text(ch.New.Fields, field); id != ""; {
		if seen[id] {
			return fault.New(fault.Cycle, "field", field)
		}
		seen[id] = true
		next, err := r.Get(Key(id))
		if errors.Is(err, sync.ErrMissing) {
			return nil // the engine says so of a reference that is new
		}
		if err != nil {
			return fmt.Errorf("follow %s of %s: %w", field, ch.Key, err)
		}
		id = members.Text(next.Fields, field)
	}
	return nil
}

// deleteWithClient deletes all that belongs to a client, unless it has open
// tasks. Finished tasks stay, and so do the clients it was the parent or payer of.
func deleteWithClient(tx *sync.Tx, client sync.Key) error {
	if err := refuseOpenTasks(tx, client); err != nil {
		return err
	}
	for _, id := range tx.Referrers(client, KindClient) {
		if err := forget(tx, Key(id), client.ID, "parentId", "payerId"); err != nil {
			return err
		}
	}
	for _, scope := range []string{Scope(client.ID), FileScope(client.ID)} {
		for _, key := range tx.InScope(scope) {
			if key == client || key.Kind == kindConflict {
				continue // conflicts outlive what they are about
			}
			if err := tx.Delete(key); err != nil {
				return fmt.Errorf("delete %s with its client: %w", key, err)
			}
		}
	}
	return nil
}

// forget removes those of the fields of a document that hold the id.
func forget(tx *sync.Tx, key sync.Key, id string, fields ...string) error {
	doc, err := tx.Get(key)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	fields = slices.DeleteFunc(fields, func(name string) bool {
		return members.Text(doc.Fields, name) != id
	})
	if err := tx.Update(key, nil, fields...); err != nil {
		return fmt.Errorf("take %s out of %s: %w", id, key, err)
	}
	return nil
}

// kindTask is the kind of tasks, which is of a package above this one. Of it
// this package knows the fields number and category.
const kindTask = "task"

// kindConflict is the kind in which the engine keeps the value that lost.
const kindConflict = "conflict"

// mostNamed is the number of open tasks that a refusal names at most.
const mostNamed = 20

func refuseOpenTasks(r sync.Reader, client sync.Key) error {
	var open []string
	for _, id := range r.Referrers(client, kindTask) {
		task, err := r.Get(sync.Key{Kind: kindTask, ID: id})
		if err != nil {
			return fmt.Errorf("read task %s: %w", id, err)
		}
		switch members.Text(task.Fields, "category") {
		case "planned", "open":
			open = append(open, taskName(task))
		}
		if len(open) == mostNamed {
			break
		}
	}
	if len(open) > 0 {
		return fault.New(fault.OpenTasks, "tasks", strings.Join(open, ", "))
	}
	return nil
}

// taskName is how people call a task: its number if it has one.
func taskName(task *sync.Document) string {
	if n := members.Number(task.Fields, "number"); n > 0 {
		return fmt.Sprintf("%.0f", n)
	}
	return task.ID
}

// narrowPermissions takes from a client's contacts what the client itself no
// longer sees in the portal.
func narrowPermissions(tx *sync.Tx, ch *sync.Change) error {
	if ch.Op == sync.Create || !ch.Changed("portalModules") {
		return nil
	}
	modules := members.Texts(ch.New.Fields, "portalModules")
	contacts, err := contactsOf(tx, ch.Key.ID)
	if err != nil {
		return err
	}
	for _, c := range contacts {
		has := members.Texts(c.Fields, "permissions")
		if keep := common(has, modules); len(keep) < len(has) {
			if err := tx.Update(c.Key, sync.Fields{"permissions": members.List(keep...)}); err != nil {
				return fmt.Errorf("narrow the permissions of %s: %w", c.Key, err)
			}
		}
	}
	return nil
}

// common are those of a that are in b too.
func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}
