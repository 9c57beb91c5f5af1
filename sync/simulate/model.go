package simulate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/sync"
)

// model is the journal as read by somebody who knows nothing of the engine:
// every document as the commits left it, and who sees what by the words of
// docs/protocol.md alone. It is slow and simple on purpose.
type model struct {
	head     uint64
	epoch    uint64 // the newest commit that a restore made
	hash     sync.Hash
	at       time.Time
	day      string
	docs     map[sync.Key]*doc
	outcomes map[uuid.UUID]*outcome
	gone     map[string]map[sync.Key]uint64 // by scope: documents that left it, and when
	spans    map[string]map[string][]span   // by user and scope
	ends     []time.Time                    // time of each commit, by number-1
	hashes   []sync.Hash                    // of each commit, by number-1
}

// doc is one document, deleted ones too.
type doc struct {
	key     sync.Key
	rev     uint64
	scope   string
	deleted bool
	body    []byte
	f       sync.Fields
}

// outcome is what the journal says became of a mutation.
type outcome struct {
	commits []uint64
	user    string
	status  sync.Status
	idle    bool // it changed nothing
}

func newModel() *model {
	return &model{
		docs:     map[sync.Key]*doc{},
		outcomes: map[uuid.UUID]*outcome{},
		gone:     map[string]map[sync.Key]uint64{},
		spans:    map[string]map[string][]span{},
	}
}

// apply reads one commit.
func (m *model) apply(c *sync.Commit) error {
	if err := m.checkChain(c); err != nil {
		return err
	}
	m.head, m.hash, m.at = c.Number, c.Hash, c.At
	m.ends, m.hashes = append(m.ends, c.At), append(m.hashes, c.Hash)
	if c.BeginsEpoch() {
		m.epoch = c.Number
	}
	if c.Day != "" {
		m.day = c.Day
	}
	for i := range c.Changes {
		if err := m.change(&c.Changes[i]); err != nil {
			return err
		}
	}
	for i := range c.Outcomes {
		if err := m.note(&c.Outcomes[i]); err != nil {
			return err
		}
	}
	for k := range m.docs {
		if k.Kind == "employee" {
			m.track(k.ID)
		}
	}
	return m.checkScopes(c)
}

func (m *model) checkChain(c *sync.Commit) error {
	sealed := *c
	sealed.Seal()
	switch {
	case c.Number != m.head+1 || c.Prev != m.hash || sealed.Hash != c.Hash:
		return violated("append", "commit %d does not follow %d in the chain", c.Number, m.head)
	case c.At.Before(m.at):
		return violated("time", "commit %d is older than its predecessor", c.Number)
	case c.Day != "" && c.Day < m.day && !changes(c, "workspaceSettings"):
		return violated("time", "commit %d sets the day back from %s to %s", c.Number, m.day, c.Day)
	}
	return nil
}

// common is the last commit that two histories share.
func (m *model) common(other *model) uint64 {
	n := 0
	for n < len(m.hashes) && n < len(other.hashes) && m.hashes[n] == other.hashes[n] {
		n++
	}
	return uint64(n)
}

func changes(c *sync.Commit, kind string) bool {
	return slices.ContainsFunc(c.Changes, func(v sync.Version) bool { return v.Kind == kind })
}

func (m *model) change(v *sync.Version) error {
	var f sync.Fields
	if err := json.Unmarshal(v.Body, &f); err != nil {
		return fmt.Errorf("read %s of commit %d: %w", v.Key, v.Rev, err)
	}
	if !v.Deleted && (f["rev"] != float64(v.Rev) || f["scope"] != v.Scope || f["id"] != v.ID || f["kind"] != v.Kind) {
		return violated("wire", "commit %d: the body of %s says %v@%v in %v", v.Rev, v.Key, f["id"], f["rev"], f["scope"])
	}
	if old := m.docs[v.Key]; old != nil && !old.deleted && (v.Deleted || old.scope != v.Scope) {
		if m.gone[old.scope] == nil {
			m.gone[old.scope] = map[sync.Key]uint64{}
		}
		m.gone[old.scope][v.Key] = v.Rev
	}
	if !v.Deleted {
		delete(m.gone[v.Scope], v.Key)
	}
	m.docs[v.Key] = &doc{v.Key, v.Rev, v.Scope, v.Deleted, v.Body, f}
	return nil
}

func (m *model) note(o *sync.Outcome) error {
	var r struct {
		Status sync.Status `json:"status"`
		Rev    uint64      `json:"rev"`
	}
	if err := json.Unmarshal(o.Result, &r); err != nil {
		return fmt.Errorf("read the result of %s: %w", o.ID, err)
	}
	got := m.outcomes[o.ID]
	if got == nil {
		got = &outcome{user: o.User, status: r.Status, idle: r.Rev < m.head}
		m.outcomes[o.ID] = got
	}
	got.commits = append(got.commits, m.head)
	if len(got.commits) > 1 {
		return violated("once", "mutation %s has outcomes in the commits %v", o.ID, got.commits)
	}
	return nil
}

// live finds a document that is there; nil otherwise.
func (m *model) live(kind, id string) *doc {
	if d := m.docs[sync.Key{Kind: kind, ID: id}]; d != nil && !d.deleted {
		return d
	}
	return nil
}

// all are the live documents of a kind ("" is every kind), sorted by id.
func (m *model) all(kind string) []*doc {
	var out []*doc
	for k, d := range m.docs {
		if !d.deleted && (kind == "" || k.Kind == kind) {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *doc) int { return compareKeys(a.key, b.key) })
	return out
}

func compareKeys(a, b sync.Key) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
}

func (m *model) ids(kind string) []string {
	var out []string
	for _, d := range m.all(kind) {
		out = append(out, d.key.ID)
	}
	return out
}

func (d *doc) text(name string) string { s, _ := d.f[name].(string); return s }
func (d *doc) flag(name string) bool   { b, _ := d.f[name].(bool); return b }
func (d *doc) number(name string) int  { n, _ := d.f[name].(float64); return int(n) }

func (d *doc) texts(name string) []string {
	list, _ := d.f[name].([]any)
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// active says whether the user may sign in.
func (m *model) active(user string) bool {
	e := m.live("employee", user)
	return e != nil && e.flag("active")
}

func (m *model) office(user string) bool {
	e := m.live("employee", user)
	return e != nil && e.text("role") != "technician"
}

// scopesOf are the scopes the user holds now.
func (m *model) scopesOf(user string) map[string]bool {
	held := map[string]bool{}
	switch {
	case !m.active(user):
		return held
	case m.office(user):
		m.addEverything(held)
	default:
		held[sync.ScopeWorkspace], held["employee:"+user] = true, true
		m.addTasks(user, held)
		m.addClients(user, held)
	}
	return held
}

// everything stands for all scopes but the private one, those to come
// included: what office roles hold.
const everything = "*"

// addEverything adds the scopes there are, and those that a client or an
// employee has by its mere existence.
func (m *model) addEverything(held map[string]bool) {
	for k, d := range m.docs {
		held[d.scope] = true
		switch k.Kind {
		case "client":
			held["client:"+k.ID], held["clientFile:"+k.ID] = true, true
		case "employee":
			held["employee:"+k.ID] = true
		}
	}
	held[everything], held[sync.ScopeOffice] = true, true
	delete(held, sync.ScopePrivate)
}

func (m *model) addTasks(user string, held map[string]bool) {
	for _, t := range m.docs {
		if t.key.Kind != "task" || t.deleted || !m.named(user, t, "employeeIds", "teamIds") || !m.carried(user, t) {
			continue
		}
		held["task:"+t.key.ID] = true
		if c := t.text("clientId"); c != "" {
			held["client:"+c], held["clientFile:"+c] = true, true
		}
		needs := append([]sync.Key{{Kind: "contact", ID: t.text("contactId")}, {Kind: "location", ID: t.text("locationId")}}, equipment(t)...)
		for _, k := range needs {
			if d := m.live(k.Kind, k.ID); d != nil {
				held[d.scope] = true
			}
		}
	}
}

func equipment(t *doc) []sync.Key {
	var out []sync.Key
	for _, id := range t.texts("equipmentIds") {
		out = append(out, sync.Key{Kind: "equipment", ID: id})
	}
	return out
}

// carried says whether the task is one that a phone carries today.
func (m *model) carried(user string, t *doc) bool {
	switch t.text("state") {
	case "draft", "scheduled":
		return false
	case "dispatched", "enRoute", "onSite", "inProgress", "paused":
		return true
	}
	start, end := t.text("plannedStart"), t.text("plannedEnd")
	if start == "" {
		return false
	}
	if end == "" {
		end = start
	}
	_, past, future := m.profile(user)
	return m.dayOf(end) >= addDays(m.day, -past) && m.dayOf(start) <= addDays(m.day, future)
}

func (m *model) addClients(user string, held map[string]bool) {
	open, _, _ := m.profile(user)
	for _, c := range m.docs {
		if c.key.Kind != "client" || c.deleted || c.flag("disabled") {
			continue
		}
		if open {
			held["client:"+c.key.ID] = true
		}
		if m.named(user, c, "assignedEmployeeIds", "assignedTeamIds") {
			held["client:"+c.key.ID], held["clientFile:"+c.key.ID] = true, true
		}
	}
}

// named says whether a document names the user or one of his teams.
func (m *model) named(user string, d *doc, people, teams string) bool {
	return slices.Contains(d.texts(people), user) || slices.ContainsFunc(d.texts(teams), func(id string) bool {
		t := m.live("team", id)
		return t != nil && slices.Contains(t.texts("memberIds"), user)
	})
}

// profile of a technician: whether he carries every client, and his window.
func (m *model) profile(user string) (open bool, past, future int) {
	p := m.live("mobileProfile", m.live("employee", user).text("mobileProfileId"))
	if p == nil {
		return true, 0, 0
	}
	return !p.flag("filterClientsByAssignment"), p.number("windowDaysPast"), p.number("windowDaysFuture")
}

func (m *model) zone() *time.Location {
	loc, err := time.LoadLocation(m.live("workspaceSettings", "settings").text("timeZone"))
	if err != nil {
		return time.UTC
	}
	return loc
}

func (m *model) dayOf(instant string) string {
	t, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		return ""
	}
	return t.In(m.zone()).Format(time.DateOnly)
}

func addDays(day string, n int) string {
	t, _ := time.Parse(time.DateOnly, day)
	return t.AddDate(0, 0, n).Format(time.DateOnly)
}

// view are the documents the user sees.
func (m *model) view(user string) map[sync.Key]*doc {
	held := m.scopesOf(user)
	out := map[sync.Key]*doc{}
	for k, d := range m.docs {
		if !d.deleted && held[d.scope] {
			out[k] = d
		}
	}
	return out
}

// checkScopes: what a commit changed is in the scope the contract says.
func (m *model) checkScopes(c *sync.Commit) error {
	for i := range c.Changes {
		d := m.docs[c.Changes[i].Key]
		if want := m.scopeOf(d); !d.deleted && want != d.scope {
			return violated("scope", "commit %d: %s is in %s, should be in %s", c.Number, d.key, d.scope, want)
		}
		if d.deleted {
			continue
		}
		for _, x := range m.all("conflict") {
			if x.text("docKind") == d.key.Kind && x.text("docId") == d.key.ID && x.scope != d.scope {
				return violated("scope", "commit %d: %s is in %s, its conflict %s@%d about %s (%s) in %s", c.Number, d.key, d.scope, x.key.ID, x.rev, x.text("field"), x.text("reason"), x.scope)
			}
		}
	}
	return nil
}

func (m *model) scopeOf(d *doc) string {
	switch d.key.Kind {
	case "client", "task":
		return d.key.Kind + ":" + d.key.ID
	case "contact", "location", "equipment":
		if c := d.text("clientId"); c != "" {
			return "client:" + c
		}
		return sync.ScopeWorkspace
	case "conflict":
		if about := m.live(d.text("docKind"), d.text("docId")); about != nil {
			return about.scope
		}
		return d.scope // its document is gone; it stays where it was
	case "rejection":
		return sync.ScopeOffice
	case kindSecret, "counter":
		return sync.ScopePrivate
	}
	return sync.ScopeWorkspace
}
