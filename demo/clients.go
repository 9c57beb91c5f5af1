package demo

import (
	"fmt"

	"github.com/enroute-field/enroute/sync"
)

// addClient makes the i-th client with what belongs to it. The technicians
// take turns, each with clients around his home town.
func (c *company) addClient(i int) {
	cl := client{id: fmt.Sprintf("client-%03d", i+1), technician: i % technicianCount}
	business := (i/technicianCount+i)%4 == 3
	town := pick(c.rand, c.nearby[cl.technician])
	f := sync.Fields{
		"code":                fmt.Sprintf("C%04d", 1001+i),
		"language":            "fr",
		"phone":               c.phone(),
		"address":             town.address(c.rand),
		"position":            town.position(c.rand),
		"description":         "Client fictif de la démonstration.",
		"externalIds":         mark(cl.id),
		"assignedEmployeeIds": []any{technicianID(cl.technician)},
	}
	if c.chance(15) {
		f["language"] = "en"
	}
	if c.chance(30) {
		f["note"], f["showNote"] = pick(c.rand, notes), c.chance(50)
	}
	if business {
		c.business(&cl, f)
	} else {
		c.household(i, f)
	}
	c.create("client", cl.id, f)
	if business {
		c.contacts(&cl)
		c.branch(&cl, town)
	}
	c.equip(&cl)
	c.clients = append(c.clients, cl)
}

// household fills in a private person. Every number gives another pair of
// names, so that no two clients are called the same.
func (c *company) household(i int, f sync.Fields) {
	first, last := firstNames[i%len(firstNames)], surnames[(i/len(firstNames)*13+i*7)%len(surnames)]
	f["isPerson"], f["firstName"], f["lastName"] = true, first, last
	f["name"] = last + ", " + first
	f["email"] = fmt.Sprintf("client%03d@menage.example", i+1)
}

// business fills in a company. A whole team looks after every second one;
// a few have closed.
func (c *company) business(cl *client, f sync.Fields) {
	n := c.businesses
	c.businesses++
	name := trades[n%len(trades)] + " " + surnames[(n*3+1)%len(surnames)]
	f["name"], f["companyName"] = name, name+" inc."
	f["email"] = fmt.Sprintf("info@commerce%02d.example", n+1)
	f["officePhone"] = c.phone()
	if n%2 == 0 {
		f["assignedTeamIds"] = []any{teamIDs[cl.technician/teamSize]}
	}
	if cl.disabled = n%20 == 19; cl.disabled {
		f["disabled"] = true
	}
}

func (c *company) contacts(cl *client) {
	cl.contact = cl.id + "-contact-1"
	for n := range 1 + c.rand.IntN(2) {
		id := fmt.Sprintf("%s-contact-%d", cl.id, n+1)
		c.create("contact", id, sync.Fields{
			"clientId": cl.id, "firstName": pick(c.rand, firstNames), "lastName": pick(c.rand, surnames),
			"position": []string{"Gérance", "Comptabilité"}[n], "phone": c.phone(),
			"email": id + "@commerce.example", "language": "fr", "externalIds": mark(id),
		})
	}
}

// branch gives some businesses a second address.
func (c *company) branch(cl *client, town place) {
	if !c.chance(40) {
		return
	}
	id := cl.id + "-location-1"
	c.create("location", id, sync.Fields{
		"clientId": cl.id, "name": "Succursale " + town.name, "address": town.address(c.rand),
		"position": town.position(c.rand), "timeZone": timeZone, "accessNotes": pick(c.rand, notes),
		"externalIds": mark(id),
	})
}

func (c *company) equip(cl *client) {
	first := c.rand.IntN(len(machines))
	for n := range 1 + c.rand.IntN(2) {
		m := machines[(first+n)%len(machines)]
		id := fmt.Sprintf("%s-equipment-%d", cl.id, n+1)
		installed := c.now.AddDate(-1-c.rand.IntN(12), 0, -c.rand.IntN(365))
		c.create("equipment", id, sync.Fields{
			"clientId": cl.id, "name": m.kind, "type": m.kind, "manufacturer": pick(c.rand, makes),
			"model": fmt.Sprintf("%c%d", 'A'+rune(c.rand.IntN(26)), 100*(1+c.rand.IntN(9))), "serialNumber": fmt.Sprintf("SN-%06d", c.rand.IntN(1e6)),
			"installedOn": installed.Format("2006-01-02"), "externalIds": mark(id),
		})
		cl.equipment = append(cl.equipment, owned{id, m.jobs})
	}
}
