package auth

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// Hash checks a new password and gives the hash to keep. Its errors are
// fault.WeakPassword, fault.InvalidInput and, when too many wait for theirs,
// fault.TooManyRequests.
func (s *Service) Hash(ctx context.Context, password string) (string, error) {
	p, err := newPassword(password)
	if err != nil {
		return "", err
	}
	return s.hasher.hash(ctx, p)
}

// SetPassword changes a password: one's own, knowing the current one
// (otherwise fault.InvalidInput with fault.WrongPassword), or an
// administrator that of another. All other sessions of the account end with it.
func (s *Service) SetPassword(ctx context.Context, id *Identity, employeeID, current, password string) error {
	own := employeeID == id.Actor.User
	if id.HandInOnly {
		return fault.New(fault.DeviceRevoked)
	}
	if !own && id.Role != sync.RoleAdmin {
		return fault.New(fault.Forbidden)
	}
	acc, err := s.accountOf(ctx, id.Workspace, employeeID)
	if err != nil {
		return err
	}
	kept := ""
	if own {
		kept = id.session.hash.String()
		if err := s.proveCurrent(ctx, acc, current); err != nil {
			return err
		}
	}
	return s.replacePassword(ctx, acc, password, kept)
}

// ResetPassword gives an account a password without knowing the current one,
// for whoever runs the server. All its sessions end. An unknown employee is
// fault.NotFound.
func (s *Service) ResetPassword(ctx context.Context, ws *sync.Workspace, employeeID, password string) error {
	acc, err := s.accountOf(ctx, ws, employeeID)
	if err != nil {
		return err
	}
	return s.replacePassword(ctx, acc, password, "")
}

// proveCurrent checks the current password, under a limit as of a sign-in:
// who finds a signed-in browser must not guess from there.
func (s *Service) proveCurrent(ctx context.Context, acc *account, current string) error {
	limit := attempt{{limiter: s.accounts, key: currentKey(acc), clears: true}}
	err := s.guard(limit, func() error { return s.compare(ctx, acc, current) })
	if fault.Is(err, fault.BadCredentials) {
		return fault.Invalid(fault.At("currentPassword", fault.WrongPassword))
	}
	return err
}

// currentKey is apart from those of sign-ins (accountKey), whatever somebody
// gives as an e-mail address.
func currentKey(acc *account) limiterKey {
	return sha256.Sum256([]byte("current\x00" + acc.ws.Name() + "\x00" + acc.employee.ID))
}

// replacePassword writes the credential, provided that it is still the one
// the account was read with, and ends the account's streams: those that may
// go on come back.
func (s *Service) replacePassword(ctx context.Context, acc *account, password, kept string) error {
	hash, err := s.Hash(ctx, password)
	if err != nil {
		return err
	}
	m := Credential(acc.employee.ID, hash)
	if acc.credentialRev != 0 {
		m.Op = sync.Update
	}
	m.Set[fieldKept] = kept
	if err := write(ctx, acc.ws, acc.credentialRev, m); err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	acc.ws.Cut(acc.employee.ID, "", fault.New(fault.Unavailable))
	return nil
}

// accountOf reads an employee's account; fault.NotFound if there is none.
func (s *Service) accountOf(ctx context.Context, ws *sync.Workspace, employeeID string) (*account, error) {
	employee, err := document(ctx, ws, employeeKey(employeeID))
	if err != nil {
		return nil, err
	}
	if employee == nil {
		return nil, fault.New(fault.NotFound)
	}
	return readAccount(ctx, ws, employee)
}
