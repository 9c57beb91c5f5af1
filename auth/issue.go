package auth

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// DeviceInput is what a device tells about itself when it signs in.
type DeviceInput struct {
	ID         string `json:"id"` // 1 to 64 of A-Z a-z 0-9 _ -
	Name       string `json:"name"`
	Platform   string `json:"platform"`
	AppVersion string `json:"appVersion"`
	PushToken  string `json:"pushToken"`
}

// check gives fault.InvalidInput for a device that cannot be kept; nil is a
// console and fine.
func (d *DeviceInput) check() error {
	if d == nil {
		return nil
	}
	var wrong []fault.Field
	if !validID(d.ID) || strings.HasPrefix(d.ID, consolePrefix) {
		wrong = append(wrong, fault.At("device.id", fault.BadFormat, "type", "id"))
	}
	for _, f := range []struct {
		name, value string
		max         int
		limit       string
	}{
		{fieldName, d.Name, maxText, "200"},
		{fieldPlatform, d.Platform, maxText, "200"},
		{fieldVersion, d.AppVersion, maxText, "200"},
		{fieldPush, d.PushToken, maxPushToken, "4096"},
	} {
		switch {
		case !utf8.ValidString(f.value) || strings.ContainsFunc(f.value, unicode.IsControl):
			wrong = append(wrong, fault.At("device."+f.name, fault.BadFormat, "type", "text"))
		case utf8.RuneCountInString(f.value) > f.max:
			wrong = append(wrong, fault.At("device."+f.name, fault.TooLong, "max", f.limit))
		}
	}
	if wrong != nil {
		return fault.Invalid(wrong...)
	}
	return nil
}

func validID(id string) bool {
	return len(id) >= 1 && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return r != '_' && r != '-' && !('0' <= r && r <= '9') && !('A' <= r && r <= 'Z') && !('a' <= r && r <= 'z')
	})
}

// Issue makes a token for a device of an active employee without a password,
// for whoever runs the server. Its errors are fault.InvalidInput and
// fault.NotFound.
func (s *Service) Issue(ctx context.Context, ws *sync.Workspace, employeeID string, device DeviceInput) (token string, err error) {
	if err := device.check(); err != nil {
		return "", err
	}
	acc, err := s.accountOf(ctx, ws, employeeID)
	if err != nil {
		return "", err
	}
	if !acc.principal.Active {
		return "", fault.New(fault.NotFound)
	}
	token, _, err = s.issue(ctx, acc, &device)
	return token, err
}

// issue writes the device document of a new session. A device that was signed
// in before, by whomever, has only this session from then on.
func (s *Service) issue(ctx context.Context, acc *account, in *DeviceInput) (token string, expires time.Time, err error) {
	token = newToken(acc.ws.Name())
	now := s.clock()
	expires = now.Add(s.lifetime).UTC().Truncate(time.Second)
	set := sync.Fields{
		fieldUser:       acc.employee.ID,
		fieldToken:      hashToken(token).String(),
		fieldCredential: float64(acc.credentialRev),
		fieldSignedIn:   stamp(now),
		fieldExpires:    stamp(expires),
	}
	if in == nil {
		set[fieldConsole] = true
		id := consolePrefix + uuid.NewString()
		return token, expires, write(ctx, acc.ws, 0, sync.Mutation{Kind: kindDevice, DocID: id, Op: sync.Create, Set: set})
	}
	in.describe(set)
	return token, expires, replaceSession(ctx, acc.ws, in.ID, set)
}

// describe sets what the device told; what it left out stays absent.
func (d *DeviceInput) describe(set sync.Fields) {
	for name, value := range map[string]string{
		fieldName: d.Name, fieldPlatform: d.Platform, fieldVersion: d.AppVersion, fieldPush: d.PushToken,
	} {
		if value != "" {
			set[name] = value
		}
	}
}

// replaceSession creates the device's document or, where there is one, makes
// it exactly what is set, and ends the streams of the session before.
func replaceSession(ctx context.Context, ws *sync.Workspace, id string, set sync.Fields) error {
	old, err := document(ctx, ws, deviceKey(id))
	if err != nil {
		return err
	}
	if old == nil {
		err = write(ctx, ws, 0, sync.Mutation{Kind: kindDevice, DocID: id, Op: sync.Create, Set: set})
		if !fault.Is(err, fault.IDExists) {
			return err
		}
		// Another sign-in of the same device came first.
		if old, err = document(ctx, ws, deviceKey(id)); err != nil || old == nil {
			return err
		}
	}
	if err := write(ctx, ws, 0, sync.Mutation{
		Kind: kindDevice, DocID: id, Op: sync.Update, Set: set, Unset: absent(old.Fields, set),
	}); err != nil {
		return err
	}
	ws.Cut(text(old.Fields, fieldUser), id, fault.New(fault.NotSignedIn))
	return nil
}

// absent are the fields of before that are not in after.
func absent(before, after sync.Fields) []string {
	var out []string
	for name := range before {
		if _, ok := after[name]; !ok {
			out = append(out, name)
		}
	}
	return out
}
