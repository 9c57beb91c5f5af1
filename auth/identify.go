package auth

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// Identity is who a request comes from. It is shared: read it only.
type Identity struct {
	Workspace *sync.Workspace
	Actor     sync.Actor
	Role      sync.Role
	// HandInOnly is true of a revoked device that may still push, and nothing
	// else: every other call of it is to be answered fault.DeviceRevoked.
	HandInOnly bool
	// SessionID is the id of the device document: the device's own id, or a
	// console's session.
	SessionID string

	session *session
}

// session is what a token's hash stands for, as of the revs of the three
// documents that decide about it.
type session struct {
	identity  Identity
	hash      tokenHash // zero after a sign-out
	active    bool      // the employee is there and active, the password unchanged
	expires   time.Time
	revoked   bool
	handIn    time.Time // zero: not allowed
	device    rev
	employee  rev
	password  rev
	confirmed atomic.Uint64 // link of the head at which the revs were last compared
	seen      atomic.Int64  // Unix time at which it was last seen
}

// rev is a document as it was when it was looked at; 0: not there.
type rev struct {
	key sync.Key
	rev uint64
}

// Identify tells who a token belongs to. It is fault.NotSignedIn for a token
// that is unknown, replaced, expired or of an account that is no longer
// active, and fault.DeviceRevoked for one that an administrator ended.
func (s *Service) Identify(ctx context.Context, token string) (*Identity, error) {
	name, hash, ok := parseToken(token)
	if !ok {
		return nil, fault.New(fault.NotSignedIn)
	}
	ws, err := s.workspace(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("identify: %w", err)
	}
	if ws == nil {
		return nil, fault.New(fault.NotSignedIn)
	}
	return s.identify(ctx, ws, hash)
}

// Check says whether an identity still holds, with the errors of Identify. It
// is cheap: whoever keeps a stream open asks after opening it and before each
// message.
func (s *Service) Check(ctx context.Context, id *Identity) error {
	now, err := s.identify(ctx, id.Workspace, id.session.hash)
	if err == nil && now.HandInOnly != id.HandInOnly {
		return fault.New(fault.DeviceRevoked)
	}
	return err
}

func (s *Service) identify(ctx context.Context, ws *sync.Workspace, hash tokenHash) (*Identity, error) {
	ses := s.sessions.get(hash)
	current, err := ses.current(ctx, ws)
	if err != nil {
		return nil, fmt.Errorf("identify: %w", err)
	}
	if !current {
		if ses, err = load(ctx, ws, hash); err != nil {
			return nil, fmt.Errorf("identify: %w", err)
		}
		s.sessions.keep(hash, ses)
	}
	if ses == nil {
		return nil, fault.New(fault.NotSignedIn)
	}
	return ses.admit(s.clock())
}

// admit decides at a given time.
func (ses *session) admit(now time.Time) (*Identity, error) {
	ok := ses.active && now.Before(ses.expires)
	switch {
	case ses.revoked && !(ok && now.Before(ses.handIn)):
		return nil, fault.New(fault.DeviceRevoked)
	case !ok:
		return nil, fault.New(fault.NotSignedIn)
	}
	return &ses.identity, nil
}

// signedIn says whether the session lets anybody in at a given time.
func (ses *session) signedIn(now time.Time) bool {
	_, err := ses.admit(now)
	return err == nil && !ses.revoked && ses.hash != tokenHash{}
}

// current says whether the documents are still those that were looked at. The
// head is read before the revs: a commit in between only costs another look.
func (ses *session) current(ctx context.Context, ws *sync.Workspace) (bool, error) {
	if ses == nil || ses.identity.Workspace != ws {
		return false, nil
	}
	head, err := ws.Head(ctx)
	if err != nil {
		return false, err
	}
	link := head.Hash.Link()
	if ses.confirmed.Load() == link {
		return true, nil
	}
	for _, r := range []rev{ses.device, ses.employee, ses.password} {
		if now, err := ws.Rev(ctx, r.key); err != nil || now != r.rev {
			return false, err
		}
	}
	ses.confirmed.Store(link)
	return true, nil
}

// load reads a session from the documents; nil if the token is nobody's. What
// it read may have changed meanwhile; then it reads again.
func load(ctx context.Context, ws *sync.Workspace, hash tokenHash) (*session, error) {
	const tries = 3
	for i := 1; ; i++ {
		device, err := lookup(ctx, ws, kindDevice, fieldToken, hash.String())
		if err != nil || device == nil {
			return nil, err
		}
		ses, err := assemble(ctx, ws, device)
		if err != nil || i == tries {
			return ses, err
		}
		if current, err := ses.current(ctx, ws); err != nil || current {
			return ses, err
		}
	}
}

// assemble gives the session of a device's document.
func assemble(ctx context.Context, ws *sync.Workspace, device *sync.Document) (*session, error) {
	f := device.Fields
	user := text(f, fieldUser)
	employee, err := document(ctx, ws, employeeKey(user))
	if err != nil {
		return nil, err
	}
	credential, err := document(ctx, ws, credentialKey(user))
	if err != nil {
		return nil, err
	}
	who, err := ws.Principal(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("read principal: %w", err)
	}
	ses := &session{
		hash:     parseHash(text(f, fieldToken)),
		active:   employee != nil && who.Active && opened(device, credential),
		expires:  moment(f, fieldExpires),
		revoked:  text(f, fieldRevoked) != "",
		handIn:   moment(f, fieldHandIn),
		device:   rev{device.Key, device.Rev},
		employee: rev{employeeKey(user), revOf(employee)},
		password: rev{credentialKey(user), revOf(credential)},
	}
	ses.identity = Identity{
		Workspace: ws, Actor: actor(device, employee), Role: who.Role,
		HandInOnly: ses.revoked, SessionID: device.ID, session: ses,
	}
	return ses, nil
}

// opened says whether the session was opened under the password of today, or
// is the one from which that was changed.
func opened(device, credential *sync.Document) bool {
	if number(device.Fields, fieldCredential) == revOf(credential) {
		return true
	}
	kept := ""
	if credential != nil {
		kept = text(credential.Fields, fieldKept)
	}
	return kept != "" && kept == text(device.Fields, fieldToken)
}

func actor(device, employee *sync.Document) sync.Actor {
	a := sync.Actor{User: text(device.Fields, fieldUser), Device: deviceID(device)}
	if employee != nil {
		a.Name = text(employee.Fields, fieldName)
	}
	return a
}

// deviceID is what the device calls itself; "" for a console.
func deviceID(device *sync.Document) string {
	if flag(device.Fields, fieldConsole) {
		return ""
	}
	return device.ID
}

func revOf(d *sync.Document) uint64 {
	if d == nil {
		return 0
	}
	return d.Rev
}

func employeeKey(id string) sync.Key   { return sync.Key{Kind: kindEmployee, ID: id} }
func credentialKey(id string) sync.Key { return sync.Key{Kind: kindCredential, ID: id} }
func deviceKey(id string) sync.Key     { return sync.Key{Kind: kindDevice, ID: id} }
