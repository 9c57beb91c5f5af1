package sync

import "time"

// Edges are the few facts of a document that views, unique keys and cascades
// need. The engine keeps them in memory for every live document; they must be
// a pure function of the document's id and fields.
type Edges struct {
	// Grants says who gains which scopes because of this document.
	Grants []Grant
	// Open puts the document's own scope into the open set, which every
	// principal holds whose profile is open.
	Open bool
	// Principal is set on the document of an account.
	Principal *Principal
	// Profile is set on a document that principals name as their profile.
	Profile *Profile
	// Members, on the document of a group, are the ids of its principals.
	Members []string
	// Zone, on the document that has it, is the workspace's IANA time zone.
	Zone string
	// Refs are documents whose referrers rules ask for (Reader.Referrers).
	Refs []Key
	// Follows are documents from which this one's scope derives: when one of
	// them changes its scope, this one is written again in the same commit.
	Follows []Key
}

// Grant gives scopes to principals and groups (both by id).
type Grant struct {
	Principals []string
	Groups     []string
	Scopes     []string // by name
	ScopesOf   []Key    // the scope that each of these documents is in
	// Always grants whatever the date. Otherwise the grant counts only while
	// one of the days from Start to End, in the workspace's time zone, lies in
	// the holder's window around today; a zero Start grants nothing. A zero
	// End is Start.
	Always     bool
	Start, End time.Time
}

// Principal is an account as views see it.
type Principal struct {
	Role    Role
	Active  bool
	Profile Key // names the document with the Profile; without one: the open set, and a window of today
}

// Profile is what a group of principals shares.
type Profile struct {
	Open   bool  // holds the open set
	Past   int32 // days of the window before today
	Future int32 // and after
}

// Role is what an account may be.
type Role string

// The roles. RoleSystem is the server itself and what acts in its name.
const (
	RoleAdmin      Role = "admin"
	RoleDispatcher Role = "dispatcher"
	RoleTechnician Role = "technician"
	RoleSystem     Role = "system"
)

// Office says whether the role holds every scope but the private one.
func (r Role) Office() bool { return r == RoleAdmin || r == RoleDispatcher || r == RoleSystem }

// Actor is who makes a request.
type Actor struct {
	User   string // id of the principal; "" for the system itself
	Device string // "" for a console
	Name   string // shown in histories; for the system, which part of it
}

// System is the actor of what the server does by itself; part names which.
func System(part string) Actor { return Actor{Name: part} }

// Origin identifies where a change came from: a change by the same origin is
// never a change by another.
func (a Actor) Origin() string {
	if a.Device != "" {
		return "device:" + a.Device
	}
	if a.User != "" {
		return "user:" + a.User
	}
	return "system:" + a.Name
}

// ScopePrivate is the scope nobody holds.
const ScopePrivate = "private"

// ScopeWorkspace is the scope every principal holds; ScopeOffice is held by
// office roles only.
const (
	ScopeWorkspace = "workspace"
	ScopeOffice    = "office"
)
