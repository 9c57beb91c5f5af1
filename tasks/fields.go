package tasks

import (
	"slices"

	"github.com/enroute-field/enroute/clients"
	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/sync"
)

// maxDrawing is the size of a drawn signature in characters.
const maxDrawing = 60_000

func fields(w *Workflow) []sync.Field {
	return slices.Concat(stateFields(w), workFields(), planFields(), reportFields(), recordFields())
}

// stateFields say how far the task is.
func stateFields(w *Workflow) []sync.Field {
	return []sync.Field{
		{Name: "number", Type: sync.Integer, Filter: true, Search: true, Min: bound(1)},
		{Name: "state", Type: sync.Choice, Enum: w.names(), Filter: true, Policy: sync.ByRules},
		{Name: "category", Type: sync.Choice, Enum: categories(), ReadOnly: true, Filter: true},
		{Name: "events", Type: sync.Elements, ReadOnly: true, Policy: sync.Appended},
		{Name: "receipts", Type: sync.Object, Policy: sync.ByRules},
		// position comes with a change of state and is kept with its event.
		{Name: "position", Type: sync.Position, Policy: sync.ByRules},
	}
}

// workFields say what is to be done and where.
func workFields() []sync.Field {
	return []sync.Field{
		{Name: "clientId", Type: sync.Reference, Refs: clients.KindClient, Filter: true},
		{Name: "locationId", Type: sync.Reference, Refs: clients.KindLocation, Filter: true},
		{Name: "contactId", Type: sync.Reference, Refs: clients.KindContact, Filter: true},
		{Name: "equipmentIds", Type: sync.References, Refs: clients.KindEquipment, Filter: true},
		{Name: "summary", Type: sync.Text, Filter: true, Search: true},
		{Name: "description", Type: sync.LongText, Search: true},
		{Name: "priority", Type: sync.Choice, Enum: []string{"low", "normal", "high", "urgent"}, Default: "normal", Filter: true, Policy: sync.Office},
		{Name: "custom", Type: sync.Object, Filter: true},
	}
}

// planFields say who is to do it and when. Who is for the office alone.
func planFields() []sync.Field {
	office := company.Office()
	return []sync.Field{
		{Name: "employeeIds", Type: sync.References, Refs: company.KindEmployee, Filter: true, Writers: office, Policy: sync.Office},
		{Name: "leadId", Type: sync.Reference, Refs: company.KindEmployee, Filter: true, Writers: office, Policy: sync.Office},
		{Name: "teamIds", Type: sync.References, Refs: company.KindTeam, Filter: true, Writers: office, Policy: sync.Office},
		{Name: "plannedStart", Type: sync.DateTime, Filter: true, Policy: sync.Office},
		{Name: "plannedEnd", Type: sync.DateTime, Filter: true, Policy: sync.Office},
		{Name: "timeZone", Type: sync.TimeZone},
		{Name: "arrivalWindow", Type: sync.Object, Policy: sync.Office, Members: []sync.Field{
			{Name: "start", Type: sync.DateTime}, {Name: "end", Type: sync.DateTime},
		}},
		{Name: "duration", Type: sync.Duration},
	}
}

// reportFields are what the field reports.
func reportFields() []sync.Field {
	return []sync.Field{
		{Name: "items", Type: sync.Elements, Policy: sync.Appended, Members: []sync.Field{
			{Name: "text", Type: sync.Text, Max: 500},
			{Name: "quantity", Type: sync.Number},
			{Name: "unitPrice", Type: sync.Integer},
			{Name: "discountPercent", Type: sync.Number, Min: bound(0), Limit: bound(100)},
		}},
		{Name: "signature", Type: sync.Object, Policy: sync.ByRules, Members: []sync.Field{
			{Name: "outcome", Type: sync.Choice, Enum: []string{"signed", "absent", "refused"}},
			{Name: "name", Type: sync.Text},
			{Name: "reason", Type: sync.Text},
			{Name: "drawing", Type: sync.LongText, Max: maxDrawing},
			{Name: "at", Type: sync.DateTime, ReadOnly: true},
			{Name: "by", Type: sync.Text, ReadOnly: true},
		}},
		{Name: "signatureRequired", Type: sync.Boolean, Writers: company.Office()},
	}
}

// recordFields are what the books need.
func recordFields() []sync.Field {
	office := company.Office()
	return []sync.Field{
		{Name: "source", Type: sync.Choice, Enum: []string{SourceOffice, SourceField, "recurrence", "request"}, Filter: true, Writers: office},
		{Name: "currency", Type: sync.Text, Max: 3, Writers: office},
		{Name: "clientSnapshot", Type: sync.Object, ReadOnly: true},
		{Name: "externalIds", Type: sync.Object, Filter: true, Writers: office},
		{Name: "accounting", Type: sync.Object, ReadOnly: true, Members: []sync.Field{
			{Name: "status", Type: sync.Text, Filter: true},
			{Name: "ref", Type: sync.Text},
			{Name: "error", Type: sync.Text, Max: 1000},
			{Name: "at", Type: sync.DateTime},
		}},
	}
}

// bound is a limit of a number field.
func bound(n float64) *float64 { return &n }
