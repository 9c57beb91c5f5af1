package demo

import (
	"fmt"
	"time"

	"github.com/enroute-field/enroute/sync"
)

// Days that are planned, counted from today.
const (
	firstDay, lastDay = -7, 6
	lastDispatched    = 2 // later days are scheduled, but not yet with the technicians
)

// starts are the local hours at which the tasks of a day begin.
var starts = []int{8, 10, 13, 15}

// backlog is how many requests wait without a date.
const backlog = 10

// plan fills the calendar of every technician and the backlog.
func (c *company) plan() {
	next := 0
	for offset := firstDay; offset <= lastDay; offset++ {
		at := func(hour int) time.Time {
			return time.Date(c.now.Year(), c.now.Month(), c.now.Day()+offset, hour, 0, 0, 0, c.now.Location())
		}
		for tech := range technicianCount {
			if !works(tech, offset, at(12).Weekday()) {
				continue
			}
			for _, hour := range starts {
				next++
				c.visit(next, tech, offset, at(hour))
			}
		}
	}
	for range backlog {
		next++
		c.request(next)
	}
}

// works says who works when: nobody on Sunday, two on Saturday, and everybody
// today, so that there is something to see on any day.
func works(tech, offset int, day time.Weekday) bool {
	switch {
	case offset == 0:
		return true
	case day == time.Sunday:
		return false
	case day == time.Saturday:
		return tech%teamSize == 0
	default:
		return true
	}
}

// visit plans a task for a technician, and lets him do it if its time has come.
func (c *company) visit(number, tech, offset int, start time.Time) {
	cl := c.clientOf(tech)
	end := start.Add(time.Duration(60+15*c.rand.IntN(4)) * time.Minute)
	id, f := c.task(number, cl)
	f["state"], f["employeeIds"], f["leadId"] = "dispatched", []any{technicianID(tech)}, technicianID(tech)
	f["plannedStart"], f["plannedEnd"] = start.Format(time.RFC3339), end.Format(time.RFC3339)
	f["duration"] = fmt.Sprintf("PT%dM", int(end.Sub(start).Minutes()))
	if c.chance(8) {
		mate := tech - tech%teamSize + (tech+1)%teamSize
		f["employeeIds"] = []any{technicianID(tech), technicianID(mate)}
	}
	if offset > lastDispatched {
		f["state"] = "scheduled"
	}
	c.create("task", id, f)
	c.work(tech, id, start, end)
}

// request is work that somebody asked for and nobody planned.
func (c *company) request(number int) {
	id, f := c.task(number, c.clientOf(c.rand.IntN(technicianCount)))
	f["state"] = "draft"
	c.create("task", id, f)
}

// task has what every task has.
func (c *company) task(number int, cl client) (string, sync.Fields) {
	id := fmt.Sprintf("task-%04d", number)
	unit := pick(c.rand, cl.equipment)
	f := sync.Fields{
		"clientId": cl.id, "equipmentIds": []any{unit.id},
		"summary": pick(c.rand, unit.jobs), "description": "Tâche fictive de la démonstration.",
		"timeZone": timeZone, "externalIds": mark(id),
	}
	if cl.contact != "" {
		f["contactId"] = cl.contact
	}
	return id, f
}

// clientOf picks one of the technician's clients that is open for work.
func (c *company) clientOf(tech int) client {
	for {
		cl := c.clients[c.rand.IntN(clientCount/technicianCount)*technicianCount+tech]
		if !cl.disabled {
			return cl
		}
	}
}

// work is what the technician's phone reported of a task up to now.
func (c *company) work(tech int, id string, start, end time.Time) {
	leave := start.Add(-time.Duration(10+c.rand.IntN(20)) * time.Minute)
	arrive := start.Add(time.Duration(c.rand.IntN(10)-3) * time.Minute)
	done := end.Add(time.Duration(c.rand.IntN(25)-15) * time.Minute)
	c.report(tech, id, leave, sync.Fields{"state": "enRoute"})
	c.report(tech, id, arrive, sync.Fields{"state": "inProgress"})
	if c.chance(7) {
		c.report(tech, id, done, sync.Fields{"state": "incomplete", "reason": "Pièce à commander."})
		return
	}
	c.report(tech, id, done, sync.Fields{
		"state":     "completed",
		"items":     []any{map[string]any{"id": id + "-item-1", "text": "Main-d'œuvre", "quantity": 1.0}},
		"signature": map[string]any{"outcome": "signed", "name": "Signature de démonstration"},
	})
}

// report adds an update of a task unless it has yet to happen.
func (c *company) report(tech int, id string, at time.Time, set sync.Fields) {
	if at.After(c.now) {
		return
	}
	at = at.UTC()
	c.field[tech] = append(c.field[tech], sync.Mutation{
		ID: mutationID("task", id, set["state"].(string)), Kind: "task", DocID: id, Op: sync.Update, Set: set, At: &at,
	})
}
