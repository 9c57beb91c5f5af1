package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// LoginRequest is an attempt to sign in.
type LoginRequest struct {
	Workspace string
	Email     string
	Password  string
	Device    *DeviceInput // nil for a console
	Address   string       // where it comes from, for the rate limit
}

// WorkspaceName is the name of the workspace meant, which people type.
func (r *LoginRequest) WorkspaceName() string { return company.FoldEmail(r.Workspace) }

// Session is what a sign-in gives.
type Session struct {
	Token     string        `json:"token"`
	ExpiresAt time.Time     `json:"expiresAt"`
	Workspace WorkspaceInfo `json:"workspace"`
	User      UserInfo      `json:"user"`
	DeviceID  string        `json:"deviceId,omitempty"` // absent for a console
}

// WorkspaceInfo is what a client needs of the workspace before its first pull.
type WorkspaceInfo struct {
	Name        string   `json:"name"`                  // as in the sign-in
	DisplayName string   `json:"displayName,omitempty"` // of the company
	TimeZone    string   `json:"timeZone,omitempty"`    // IANA
	Region      string   `json:"region,omitempty"`      // of phone numbers, ISO 3166-1
	Currency    string   `json:"currency,omitempty"`    // ISO 4217
	Languages   []string `json:"languages,omitempty"`   // BCP 47
}

// UserInfo is who signed in.
type UserInfo struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Role       sync.Role `json:"role"`
	EmployeeID string    `json:"employeeId"` // the same as ID
}

// Login signs somebody in. Whatever is not right about workspace, account or
// password is the same fault.BadCredentials after the same work; after too
// many of them it is fault.TooManyRequests for accounts that exist and others
// alike.
func (s *Service) Login(ctx context.Context, req LoginRequest) (*Session, error) {
	if err := req.Device.check(); err != nil {
		return nil, err
	}
	var acc *account
	err := s.guard(s.signIn(&req), func() (err error) {
		acc, err = s.authenticate(ctx, &req)
		return err
	})
	if err != nil {
		s.logFailure(ctx, &req, err)
		return nil, err
	}
	return s.open(ctx, acc, req.Device)
}

// Opens says whether the password is the account's. Nobody is signed in, and
// nothing counts as an attempt.
func (s *Service) Opens(ctx context.Context, req LoginRequest) (bool, error) {
	_, err := s.authenticate(ctx, &req)
	if fault.Is(err, fault.BadCredentials) {
		return false, nil
	}
	return err == nil, err
}

// account is what is known about whoever signs in; the zero account is nobody.
type account struct {
	ws            *sync.Workspace
	employee      *sync.Document
	principal     sync.Principal
	hash          string // of the password; "" if there is none
	credentialRev uint64
}

// authenticate finds the account and checks its password.
func (s *Service) authenticate(ctx context.Context, req *LoginRequest) (*account, error) {
	acc, err := s.find(ctx, req.WorkspaceName(), req.Email)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	if err := s.compare(ctx, acc, req.Password); err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	if !acc.principal.Active {
		return nil, fault.New(fault.BadCredentials)
	}
	return acc, nil
}

// compare the password with the account's; fault.BadCredentials if it is
// another one. A password that nobody can have is not worth hashing, whoever's
// it is said to be.
func (s *Service) compare(ctx context.Context, acc *account, password string) error {
	p, ok := normalize(password)
	if !ok {
		return fault.New(fault.BadCredentials)
	}
	same, err := s.hasher.verify(ctx, p, acc.hash)
	if err != nil {
		return err
	}
	if !same {
		return fault.New(fault.BadCredentials)
	}
	return nil
}

// find the account of an e-mail address; the zero account if there is none.
func (s *Service) find(ctx context.Context, workspace, email string) (*account, error) {
	ws, err := s.workspace(ctx, workspace)
	if err != nil || ws == nil {
		return &account{}, err
	}
	employee, err := lookup(ctx, ws, kindEmployee, "email", company.FoldEmail(email))
	if err != nil || employee == nil {
		return &account{}, err
	}
	return readAccount(ctx, ws, employee)
}

// readAccount reads what belongs to the employee's account.
func readAccount(ctx context.Context, ws *sync.Workspace, employee *sync.Document) (*account, error) {
	acc := &account{ws: ws, employee: employee}
	credential, err := document(ctx, ws, credentialKey(employee.ID))
	if err != nil {
		return nil, err
	}
	if credential != nil {
		acc.hash, acc.credentialRev = text(credential.Fields, fieldHash), credential.Rev
	}
	if acc.principal, err = ws.Principal(ctx, employee.ID); err != nil {
		return nil, fmt.Errorf("read principal: %w", err)
	}
	return acc, nil
}

// open makes the session of an account that has proved itself.
func (s *Service) open(ctx context.Context, acc *account, device *DeviceInput) (*Session, error) {
	token, expires, err := s.issue(ctx, acc, device)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	about, err := describe(ctx, acc.ws)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	out := &Session{Token: token, ExpiresAt: expires, Workspace: about, User: UserInfo{
		ID: acc.employee.ID, EmployeeID: acc.employee.ID,
		Name: text(acc.employee.Fields, fieldName), Role: acc.principal.Role,
	}}
	if device != nil {
		out.DeviceID = device.ID
	}
	return out, nil
}

// describe reads the workspace's settings; without any there is its name.
func describe(ctx context.Context, ws *sync.Workspace) (WorkspaceInfo, error) {
	d, err := document(ctx, ws, sync.Key{Kind: company.KindSettings, ID: company.SettingsID})
	if err != nil || d == nil {
		return WorkspaceInfo{Name: ws.Name()}, err
	}
	f := d.Fields
	out := WorkspaceInfo{
		Name: ws.Name(), DisplayName: text(f, "name"), TimeZone: text(f, "timeZone"),
		Region: text(f, "region"), Currency: text(f, "currency"),
	}
	languages, _ := f["languages"].([]any)
	for _, l := range languages {
		if tag, ok := l.(string); ok {
			out.Languages = append(out.Languages, tag)
		}
	}
	return out, nil
}

// guard runs a check of a password under limits. It counts only if its answer
// is fault.BadCredentials.
func (s *Service) guard(a attempt, check func() error) error {
	if wait := a.take(s.clock()); wait > 0 {
		return fault.New(fault.TooManyRequests).After(wait)
	}
	err := check()
	switch {
	case err == nil:
		a.succeed()
	case !fault.Is(err, fault.BadCredentials):
		a.give()
	}
	return err
}

// signIn is the attempt of a request. A success clears the account; of the
// address it takes back only itself, or whoever has one account could try
// others for ever.
func (s *Service) signIn(req *LoginRequest) attempt {
	return attempt{
		{limiter: s.accounts, key: accountKey(req.Workspace, req.Email), clears: true},
		{limiter: s.addresses, key: addressKey(req.Address)},
	}
}

// logFailure leaves a trace for whoever watches for break-ins: not the e-mail
// address, where people type passwords by mistake.
func (s *Service) logFailure(ctx context.Context, req *LoginRequest, err error) {
	s.log.InfoContext(ctx, "sign-in refused", "workspace", req.Workspace, "address", req.Address, "error", err)
}
