package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/sync"
)

// Sizes of the company.
const (
	clientCount     = 300
	technicianCount = 12
	teamSize        = technicianCount / 2
)

// timeZone is where the company works.
const timeZone = "America/Toronto"

// Identifiers that the rest of the company refers to.
const (
	profileID    = "mobile-technicians"
	adminID      = "admin"
	dispatcherID = "dispatcher"
)

var teamIDs = [2]string{"team-north", "team-south"}

// company is the whole of the demonstration workspace on its way to becoming
// mutations: the same seed and moment give the same ones.
type company struct {
	rand    *rand.Rand
	now     time.Time // in the company's time zone
	nearby  [technicianCount][]place
	creates []sync.Mutation
	clients []client
	// businesses counts the clients that are companies.
	businesses int
	field      [technicianCount][]sync.Mutation // what each technician did since
}

// client is what tasks need to know of one.
type client struct {
	id         string
	technician int
	disabled   bool
	contact    string // "" if there is none
	equipment  []owned
}

// owned is a piece of equipment of a client.
type owned struct {
	id   string
	jobs []string
}

// newCompany makes the company as it is at now.
func newCompany(seed uint64, now time.Time) (*company, error) {
	zone, err := time.LoadLocation(timeZone)
	if err != nil {
		return nil, fmt.Errorf("load time zone: %w", err)
	}
	places, err := readPlaces()
	if err != nil {
		return nil, fmt.Errorf("read places: %w", err)
	}
	c := &company{rand: rand.New(rand.NewPCG(seed, 0)), now: now.In(zone).Truncate(time.Second)}
	for i := range c.nearby {
		if c.nearby[i], err = around(places, bases[i], 12); err != nil {
			return nil, err
		}
	}
	c.settings()
	c.people()
	for i := range clientCount {
		c.addClient(i)
	}
	c.plan()
	return c, nil
}

// space keeps the ids of demo mutations apart from all others.
var space = uuid.MustParse("6d0c6b0e-5a7f-5f5e-9c9b-0d2f5f0f6a31")

// create adds a document.
func (c *company) create(kind, id string, f sync.Fields) {
	c.creates = append(c.creates, sync.Mutation{
		ID: mutationID(kind, id, "create"), Kind: kind, DocID: id, Op: sync.Create, Set: f,
	})
}

func mutationID(parts ...string) uuid.UUID {
	return uuid.NewSHA1(space, []byte(strings.Join(parts, "/")))
}

func (c *company) settings() {
	c.create("workspaceSettings", "settings", sync.Fields{
		"name": "Climatisation Boréal-Nord (démonstration)", "timeZone": timeZone, "region": "CA",
		"languages": []any{"fr", "en"}, "currency": "CAD",
	})
	c.create("mobileProfile", profileID, sync.Fields{
		"name": "Techniciens", "filterClientsByAssignment": true, "clientCreate": true, "taskCreate": true,
	})
}

// people makes the accounts and the two teams.
func (c *company) people() {
	c.employee(adminID, "Admin Démo", "admin", sync.Fields{})
	c.employee(dispatcherID, "Répartition Démo", "dispatcher", sync.Fields{})
	var members [2][]any
	for i := range technicianCount {
		id := technicianID(i)
		c.employee(id, technicianName(i), "technician", sync.Fields{"mobileProfileId": profileID})
		members[i/teamSize] = append(members[i/teamSize], id)
	}
	c.create("team", teamIDs[0], sync.Fields{"name": "Équipe Rive-Nord", "memberIds": members[0]})
	c.create("team", teamIDs[1], sync.Fields{"name": "Équipe Rive-Sud", "memberIds": members[1]})
}

func (c *company) employee(id, name, role string, f sync.Fields) {
	f["name"], f["role"], f["language"] = name, role, "fr"
	f["email"] = email(id)
	f["phone"] = c.phone()
	f["externalIds"] = mark(id)
	c.create("employee", id, f)
}

// technicianName of the technician with this index, from 0.
func technicianName(i int) string {
	return firstNames[(i*7+3)%len(firstNames)] + " " + surnames[(i*11+5)%len(surnames)]
}

// technicianID of the technician with this index, from 0: tech1 and so on.
func technicianID(i int) string { return fmt.Sprintf("tech%d", i+1) }

// mark tells a synthetic document from a real one.
func mark(id string) map[string]any { return map[string]any{"demo": id} }

// phone is a number that rings nowhere.
func (c *company) phone() string {
	return fmt.Sprintf("%s 555-01%02d", pick(c.rand, phonePrefixes), c.rand.IntN(100))
}

// chance is true in so many of a hundred cases.
func (c *company) chance(percent int) bool { return c.rand.IntN(100) < percent }
