package tasks

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/internal/members"
	"github.com/enroute-field/enroute/sync"
)

// taskRules are the rules of tasks under a workflow.
type taskRules struct{ workflow *Workflow }

func (t taskRules) apply(tx *sync.Tx, ch *sync.Change) error {
	if ch.New == nil {
		return nil
	}
	steps := []func(*sync.Tx, *sync.Change) error{
		keepReports, checkPlan, checkClient, setCurrency, sign, addReceipts, flagLateWork, t.transition,
	}
	if ch.Op == sync.Create {
		steps = []func(*sync.Tx, *sync.Change) error{
			made, checkPlan, checkClient, setCurrency, setNumber, sign, addReceipts, t.begin,
		}
	}
	for _, step := range steps {
		if err := step(tx, ch); err != nil {
			return err
		}
	}
	return nil
}

// keepReports refuses to take away what a task always has, and what the field
// reported.
func keepReports(_ *sync.Tx, ch *sync.Change) error {
	for _, name := range ch.Unset {
		switch name {
		case "state":
			return fault.Invalid(fault.At(name, fault.Required))
		case "signature", "receipts":
			return fault.New(fault.FieldNotAllowed, "field", name)
		}
	}
	return nil
}

// made says where a task was made. What is made in the field is its maker's
// from the first commit on, so that it stays on the phone that made it.
func made(tx *sync.Tx, ch *sync.Change) error {
	if tx.Role() == sync.RoleTechnician {
		ch.New.Fields["source"] = SourceField
		ch.New.Fields["employeeIds"] = members.List(tx.Actor().User)
		ch.New.Fields["leadId"] = tx.Actor().User
		return nil
	}
	if members.Text(ch.New.Fields, "source") == "" {
		ch.New.Fields["source"] = SourceOffice
	}
	return nil
}

// checkPlan refuses an end before the start, and a lead who is not on the task.
func checkPlan(_ *sync.Tx, ch *sync.Change) error {
	f := ch.New.Fields
	start, end := members.Time(f, "plannedStart"), members.Time(f, "plannedEnd")
	if !end.IsZero() && end.Before(start) {
		return fault.Invalid(fault.At("plannedEnd", fault.BeforeStart))
	}
	lead := members.Text(f, "leadId")
	employees := members.Texts(f, "employeeIds")
	if lead == "" || slices.Contains(employees, lead) {
		return nil
	}
	if _, asked := ch.Asked["leadId"]; asked && !ch.Offline {
		return fault.Invalid(fault.At("leadId", fault.NotOneOf, "values", strings.Join(employees, ", ")))
	}
	delete(f, "leadId") // the lead was taken off the task
	return nil
}

// checkClient refuses new work for a client that is disabled, and what
// technicians make for a client that is not theirs under option 11.
func checkClient(tx *sync.Tx, ch *sync.Change) error {
	if !ch.Changed("clientId") {
		return nil
	}
	client, err := clientOf(tx, ch.New.Fields)
	if errors.Is(err, sync.ErrMissing) {
		return nil // none, or the engine says so of a reference that is new
	}
	if err != nil {
		return err
	}
	if members.Flag(client.Fields, "disabled") {
		return fault.New(fault.ClientDisabled)
	}
	if tx.Role() != sync.RoleTechnician {
		return nil
	}
	profile, err := company.ProfileOf(tx, tx.Actor().User)
	if err != nil || !profile.FilterClients {
		return err
	}
	mine, err := clients.AssignedTo(tx, client.Fields, tx.Actor().User)
	if err == nil && !mine {
		return fault.New(fault.ClientNotAssigned)
	}
	return err
}

// setCurrency gives a task without a currency that of its payer.
func setCurrency(tx *sync.Tx, ch *sync.Change) error {
	if ch.Op != sync.Create && !ch.Changed("currency") {
		return nil
	}
	if members.Text(ch.New.Fields, "currency") != "" {
		return company.CheckCurrency(ch.New.Fields, "currency")
	}
	code, err := clients.Currency(tx, members.Text(ch.New.Fields, "clientId"))
	if err != nil {
		return fmt.Errorf("currency of %s: %w", ch.Key, err)
	}
	ch.New.Fields["currency"] = code
	return nil
}

// sign keeps a signature as one value, with who took it and when. One that
// somebody else took before stays in a conflict.
func sign(tx *sync.Tx, ch *sync.Change) error {
	asked, ok := ch.Asked["signature"].(map[string]any)
	if !ok {
		return nil
	}
	taken := maps.Clone(asked)
	taken["at"], taken["by"] = members.Instant(ch.At), tx.Actor().User
	ch.New.Fields["signature"] = taken
	if ch.Old == nil {
		return nil
	}
	before := members.Object(ch.Old.Fields, "signature")
	if before != nil && members.Text(before, "by") != tx.Actor().User {
		ch.Conflict(sync.Conflict{
			Field: "signature", Kept: taken, Discarded: before,
			Level: sync.LevelInfo, Reason: "sameField",
		})
	}
	return nil
}

// addReceipts notes that employees received or opened the task. The first
// time stays.
func addReceipts(_ *sync.Tx, ch *sync.Change) error {
	asked := members.Object(ch.Asked, "receipts")
	if len(asked) == 0 {
		return nil
	}
	all := maps.Clone(members.Object(ch.New.Fields, "receipts"))
	if all == nil {
		all = map[string]any{}
	}
	for employee, given := range asked {
		receipt, ok := given.(map[string]any)
		if !ok {
			return fault.Invalid(fault.At("receipts."+employee, fault.WrongType, "type", "object"))
		}
		all[employee] = addReceipt(members.Object(all, employee), receipt, ch)
	}
	ch.New.Fields["receipts"] = all
	return nil
}

// addReceipt to those there are. When it was opened is when the mutation was
// made, by the corrected clock; when it was received the server knows.
func addReceipt(before, given map[string]any, ch *sync.Change) map[string]any {
	out := maps.Clone(before)
	if out == nil {
		out = map[string]any{}
	}
	if at := members.Time(given, "receivedAt"); out["receivedAt"] == nil && !at.IsZero() {
		out["receivedAt"] = members.Instant(at)
	}
	if out["openedAt"] == nil && given["openedAt"] != nil {
		out["openedAt"] = members.Instant(ch.At)
	}
	return out
}

// flagLateWork puts before the office what was done offline on a task that
// was cancelled or given to somebody else meanwhile. It is stored all the same.
func flagLateWork(tx *sync.Tx, ch *sync.Change) error {
	if !ch.Offline || tx.Role() != sync.RoleTechnician {
		return nil
	}
	late, err := tooLate(tx, ch)
	if err != nil || !late {
		return err
	}
	for _, field := range []string{"items", "signature"} {
		if asked, ok := ch.Asked[field]; ok {
			ch.Conflict(sync.Conflict{
				Field: field, Kept: asked,
				Level: sync.LevelDecide, Reason: "afterReassignment",
			})
		}
	}
	return nil
}

// tooLate says whether the task is cancelled, or no longer the actor's.
func tooLate(tx *sync.Tx, ch *sync.Change) (bool, error) {
	if Category(members.Text(ch.Old.Fields, "category")) == Cancelled {
		return true, nil
	}
	on, err := onTask(tx, ch.New.Fields, tx.Actor().User)
	return !on, err
}
