// Package company has the kinds that describe a company itself: its settings,
// employees, teams and mobile profiles, and what the other domains ask of them.
package company

import (
	"github.com/enroute-field/enroute/sync"
)

// The names of the kinds.
const (
	KindSettings = "workspaceSettings"
	KindEmployee = "employee"
	KindTeam     = "team"
	KindProfile  = "mobileProfile"
)

// SettingsID is the id of the one document with the workspace's settings.
const SettingsID = "settings"

// Kinds of the company, to be registered with the engine.
func Kinds() []*sync.Kind {
	return []*sync.Kind{settingsKind(), employeeKind(), teamKind(), profileKind()}
}

// Office are the roles that run the company from a desk: the writers of what
// technicians may only read.
func Office() []sync.Role { return []sync.Role{sync.RoleAdmin, sync.RoleDispatcher} }

// inWorkspace is the scope of kinds that everybody reads.
func inWorkspace(sync.Reader, string, sync.Fields) (string, error) {
	return sync.ScopeWorkspace, nil
}

// full access.
func full() sync.Access { return sync.Access{Create: true, Update: true, Delete: true} }

// bound is a limit of a number field.
func bound(n float64) *float64 { return &n }
