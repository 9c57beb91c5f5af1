package auth

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// DeviceInfo is a device or a console's session as administrators see it.
type DeviceInfo struct {
	ID         string `json:"id"`
	UserID     string `json:"userId"`
	Console    bool   `json:"console"`
	Name       string `json:"name,omitempty"`
	Platform   string `json:"platform,omitempty"`
	AppVersion string `json:"appVersion,omitempty"`
	// SignedIn is false after a sign-out, a revocation, or the session's end.
	SignedIn    bool       `json:"signedIn"`
	SignedInAt  time.Time  `json:"signedInAt"`
	ExpiresAt   time.Time  `json:"expiresAt"`
	RevokedAt   *time.Time `json:"revokedAt,omitempty"`
	HandInUntil *time.Time `json:"handInUntil,omitempty"`
	LastSeenAt  *time.Time `json:"lastSeenAt,omitempty"`
	// Lag is how many commits the greatest cursor it showed is behind the
	// head; absent if it showed none since the server keeps count.
	Lag *uint64 `json:"cursorLag,omitempty"`
	// Pending is how many unsent mutations it last reported.
	Pending *int `json:"pending,omitempty"`
}

// Devices lists all devices and console sessions, for administrators only.
func (s *Service) Devices(ctx context.Context, id *Identity) ([]DeviceInfo, error) {
	if err := administrator(id); err != nil {
		return nil, err
	}
	ws := id.Workspace
	notes, err := s.notes(ctx, ws)
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	keys, err := ws.Keys(ctx, kindDevice)
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	if err := forget(ctx, ws, notes, keys); err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	var out []DeviceInfo
	for _, key := range keys {
		d, err := document(ctx, ws, key)
		if err != nil {
			return nil, fmt.Errorf("list devices: %w", err)
		}
		if d == nil {
			continue
		}
		info, err := s.inform(ctx, ws, d)
		if err != nil {
			return nil, fmt.Errorf("list devices: %w", err)
		}
		info.fill(notes)
		out = append(out, info)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out, nil
}

// inform gives what the documents say about a device.
func (s *Service) inform(ctx context.Context, ws *sync.Workspace, d *sync.Document) (DeviceInfo, error) {
	f := d.Fields
	ses, err := assemble(ctx, ws, d)
	if err != nil {
		return DeviceInfo{}, err
	}
	behind, err := lag(ctx, ws, ses.identity.Actor)
	if err != nil {
		return DeviceInfo{}, err
	}
	return DeviceInfo{
		ID: d.ID, UserID: text(f, fieldUser), Console: flag(f, fieldConsole), Name: text(f, fieldName),
		Platform: text(f, fieldPlatform), AppVersion: text(f, fieldVersion),
		SignedIn:   ses.signedIn(s.clock()),
		SignedInAt: moment(f, fieldSignedIn), ExpiresAt: ses.expires,
		RevokedAt: optional(moment(f, fieldRevoked)), HandInUntil: optional(ses.handIn),
		Lag: behind,
	}, nil
}

// lag of a device's cursor; nil if it showed none.
func lag(ctx context.Context, ws *sync.Workspace, a sync.Actor) (*uint64, error) {
	shown, err := ws.Presented(ctx, a)
	if err != nil || shown == 0 {
		return nil, err
	}
	head, err := ws.Head(ctx)
	if err != nil {
		return nil, err
	}
	behind := max(head.Number, shown) - shown
	return &behind, nil
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Revoke ends a device's or console's session, for administrators only: every
// call of it is fault.DeviceRevoked from now on, and its streams end. With
// handIn it may still push for a while. Whoever knows the password can sign in
// on it again; to keep a person out, deactivate the employee.
func (s *Service) Revoke(ctx context.Context, id *Identity, device string, handIn bool) error {
	if err := administrator(id); err != nil {
		return err
	}
	d, err := document(ctx, id.Workspace, deviceKey(device))
	if err != nil {
		return fmt.Errorf("revoke device: %w", err)
	}
	if d == nil {
		return fault.New(fault.NotFound)
	}
	if err := write(ctx, id.Workspace, 0, s.revocation(d, handIn)); err != nil {
		return fmt.Errorf("revoke device: %w", err)
	}
	cut(id.Workspace, d, fault.New(fault.DeviceRevoked))
	return nil
}

func (s *Service) revocation(d *sync.Document, handIn bool) sync.Mutation {
	now := s.clock()
	set := sync.Fields{fieldRevoked: stamp(now)}
	unset := []string{fieldPush}
	if handIn {
		set[fieldHandIn] = stamp(now.Add(s.handIn))
	} else {
		unset = append(unset, fieldHandIn)
	}
	return sync.Mutation{Kind: kindDevice, DocID: d.ID, Op: sync.Update, Set: set, Unset: present(d.Fields, unset)}
}

// Logout ends the session of the identity, and no other that came after it on
// the same device.
func (s *Service) Logout(ctx context.Context, id *Identity) error {
	d, err := lookup(ctx, id.Workspace, kindDevice, fieldToken, id.session.hash.String())
	if err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	if d == nil {
		return nil
	}
	err = signOut(ctx, id.Workspace, d)
	if fault.Is(err, fault.PreconditionFail) || fault.Is(err, fault.NotFound) {
		return s.Logout(ctx, id) // changed or ended in between: look again
	}
	if err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	cut(id.Workspace, d, fault.New(fault.NotSignedIn))
	return nil
}

// signOut takes a device's token away or removes a console's session, provided
// that the document is still as it was read: fault.PreconditionFail.
func signOut(ctx context.Context, ws *sync.Workspace, d *sync.Document) error {
	m := sync.Mutation{Kind: kindDevice, DocID: d.ID, Op: sync.Delete}
	if !flag(d.Fields, fieldConsole) {
		m.Op, m.Unset = sync.Update, present(d.Fields, []string{fieldToken, fieldPush})
	}
	return write(ctx, ws, d.Rev, m)
}

// cut ends the streams of a session. Those of a console cannot be told from
// the account's others: all of them end, for a reason that signs nobody out,
// and come back if their own tokens let them.
func cut(ws *sync.Workspace, d *sync.Document, cause *fault.Error) {
	if flag(d.Fields, fieldConsole) {
		cause = fault.New(fault.Unavailable)
	}
	ws.Cut(text(d.Fields, fieldUser), deviceID(d), cause)
}

// present are those of the names that are fields.
func present(f sync.Fields, names []string) []string {
	var out []string
	for _, name := range names {
		if _, ok := f[name]; ok {
			out = append(out, name)
		}
	}
	return out
}

// administrator gives a fault unless the identity is one.
func administrator(id *Identity) error {
	switch {
	case id.HandInOnly:
		return fault.New(fault.DeviceRevoked)
	case id.Role != sync.RoleAdmin:
		return fault.New(fault.Forbidden)
	}
	return nil
}
