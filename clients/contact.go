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

func contactKind() *sync.Kind {
	office := company.Office()
	return &sync.Kind{
		Name: KindContact, Plural: "contacts",
		Fields: []sync.Field{
			{Name: "clientId", Type: sync.Reference, Refs: KindClient, Required: true, Filter: true},
			{Name: "locationId", Type: sync.Reference, Refs: KindLocation, Filter: true},
			{Name: "firstName", Type: sync.Text, Filter: true, Search: true},
			{Name: "lastName", Type: sync.Text, Filter: true, Search: true},
			{Name: "position", Type: sync.Text},
			{Name: "email", Type: sync.Email, Filter: true, Search: true},
			{Name: "phone", Type: sync.Phone, Filter: true, Search: true},
			{Name: "phoneE164", Type: sync.Text, ReadOnly: true, Filter: true},
			{Name: "primary", Type: sync.Boolean, Default: false, Filter: true},
			{Name: "language", Type: sync.Language, Filter: true},
			{Name: "permissions", Type: sync.Choices, Enum: company.PortalModules(), Writers: office},
			{Name: "notifications", Type: sync.Choices, Enum: notices(), Default: members.List(notices()...), Writers: office},
			{Name: "welcomeMail", Type: sync.Boolean, Default: false, Writers: office},
			{Name: "externalIds", Type: sync.Object, Filter: true, Writers: office},
		},
		Scope: byClient,
		Edges: func(_ string, f sync.Fields) sync.Edges {
			return sync.Edges{Refs: refs(KindLocation, members.Text(f, "locationId"))}
		},
		Access: access(sync.Access{Create: true, Update: true}),
		Rules:  contactRules,
	}
}

// notices are what a contact may be told about.
func notices() []string {
	return []string{"invoice", "creditNote", "estimate", "ticket", "project", "contract", "task"}
}

func contactRules(tx *sync.Tx, ch *sync.Change) error {
	leaveLocation(ch)
	if ch.New != nil {
		if err := checkContact(tx, ch); err != nil {
			return err
		}
	}
	if ch.ByRules {
		return nil // part of a change that sees to the primary contact itself
	}
	return keepOnePrimary(tx, ch)
}

func checkContact(r sync.Reader, ch *sync.Change) error {
	name := members.Text(ch.New.Fields, "firstName") + members.Text(ch.New.Fields, "lastName")
	if strings.TrimSpace(name) == "" {
		return fault.Invalid(fault.At("lastName", fault.Required))
	}
	if err := checkPermissions(r, ch); err != nil {
		return err
	}
	return company.SetE164(r, ch, "phone")
}

// checkPermissions keeps what a contact sees in the portal within what its
// client does. A new contact gets what the settings say.
func checkPermissions(r sync.Reader, ch *sync.Change) error {
	_, given := ch.New.Fields["permissions"]
	if given && !ch.Changed("permissions") && !ch.Changed("clientId") {
		return nil
	}
	client, err := r.Get(Key(members.Text(ch.New.Fields, "clientId")))
	if errors.Is(err, sync.ErrMissing) {
		return nil // the engine says so of a reference that is new
	}
	if err != nil {
		return fmt.Errorf("read the client of %s: %w", ch.Key, err)
	}
	modules := members.Texts(client.Fields, "portalModules")
	asked := members.Texts(ch.New.Fields, "permissions")
	if given && ch.Changed("permissions") && len(common(asked, modules)) < len(asked) {
		return fault.Invalid(fault.At("permissions", fault.NotOneOf, "values", strings.Join(modules, ", ")))
	}
	if !given {
		settings, err := company.SettingsOf(r)
		if err != nil {
			return err
		}
		asked = settings.ContactPermissions
	}
	ch.New.Fields["permissions"] = members.List(common(asked, modules)...)
	return nil
}

// keepOnePrimary keeps exactly one primary contact per client: the first one,
// until another is chosen, or until it goes and the oldest takes its place.
func keepOnePrimary(tx *sync.Tx, ch *sync.Change) error {
	was, is := clientOf(ch.Old), clientOf(ch.New)
	if was != "" && was != is && isPrimary(ch.Old) {
		if err := promoteOldest(tx, was, ch.Key); err != nil {
			return err
		}
	}
	if is == "" {
		return nil
	}
	if was == is && isPrimary(ch.Old) {
		return keepTicked(ch)
	}
	return tick(tx, ch, is, was != is && was != "")
}

// clientOf is the client a live contact belongs to; "" for none.
func clientOf(contact *sync.Document) string {
	if contact == nil || contact.Deleted {
		return ""
	}
	return members.Text(contact.Fields, "clientId")
}

func isPrimary(contact *sync.Document) bool { return members.Flag(contact.Fields, "primary") }

// keepTicked refuses to untick the primary contact; done offline, it is undone.
func keepTicked(ch *sync.Change) error {
	if !isPrimary(ch.New) && !ch.Offline {
		return fault.New(fault.PrimaryNeeded)
	}
	ch.New.Fields["primary"] = true
	return nil
}

// tick makes a contact the primary one if it was chosen or is the only one.
// One that moves in from another client or comes back from deletion is not
// chosen by that.
func tick(tx *sync.Tx, ch *sync.Change, client string, moved bool) error {
	others, err := contactsOf(tx, client)
	if err != nil {
		return err
	}
	others = slices.DeleteFunc(others, func(c *sync.Document) bool { return c.Key == ch.Key || !isPrimary(c) })
	revived := ch.Old != nil && ch.Old.Deleted
	_, chosen := ch.Asked["primary"]
	if len(others) > 0 && (moved || revived) && !chosen {
		ch.New.Fields["primary"] = false
	}
	if len(others) == 0 {
		ch.New.Fields["primary"] = true
	}
	if !isPrimary(ch.New) {
		return nil
	}
	for _, c := range others {
		if err := tx.Update(c.Key, sync.Fields{"primary": false}); err != nil {
			return fmt.Errorf("untick %s: %w", c.Key, err)
		}
	}
	return nil
}

// promoteOldest makes the oldest of a client's other contacts the primary one.
func promoteOldest(tx *sync.Tx, client string, gone sync.Key) error {
	others, err := contactsOf(tx, client)
	if err != nil {
		return err
	}
	others = slices.DeleteFunc(others, func(c *sync.Document) bool { return c.Key == gone })
	if len(others) == 0 {
		return nil
	}
	oldest := slices.MinFunc(others, func(a, b *sync.Document) int {
		if by := a.CreatedAt.Compare(b.CreatedAt); by != 0 {
			return by
		}
		return strings.Compare(a.ID, b.ID)
	})
	if err := tx.Update(oldest.Key, sync.Fields{"primary": true}); err != nil {
		return fmt.Errorf("promote %s: %w", oldest.Key, err)
	}
	return nil
}

// contactsOf are the live contacts of a client.
func contactsOf(r sync.Reader, client string) ([]*sync.Document, error) {
	var out []*sync.Document
	for _, key := range r.InScope(Scope(client)) {
		if key.Kind != KindContact {
			continue
		}
		doc, err := r.Get(key)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		out = append(out, doc)
	}
	return out, nil
}
