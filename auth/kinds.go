package auth

import (
	"fmt"
	"sort"
	"time"

	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
)

// The kinds of documents auth reads and keeps.
const (
	kindEmployee   = company.KindEmployee
	kindCredential = "credential"
	kindDevice     = "device"
)

// Fields of credential and device documents.
const (
	fieldHash = "hash"      // argon2id, in the PHC string format
	fieldKept = "keptToken" // hash of the token that outlives this change of password

	fieldUser       = "userId"
	fieldToken      = "tokenHash"     // hex SHA-256 of the token; absent when signed out
	fieldCredential = "credentialRev" // rev of the credential that opened the session; 0: none
	fieldConsole    = "console"       // a browser's session, which has no device
	fieldName       = "name"
	fieldPlatform   = "platform"
	fieldVersion    = "appVersion"
	fieldPush       = "pushToken"
	fieldSignedIn   = "signedInAt"
	fieldExpires    = "expiresAt"
	fieldRevoked    = "revokedAt"
	fieldHandIn     = "handInUntil" // a revoked device may push until then
)

const (
	consolePrefix = "console-"
	maxConsoles   = 50 // sessions without a device that one account keeps
	maxText       = 200
	maxPushToken  = 4096
)

// Kinds are the private kinds to register with the engine, beside those of company.
func Kinds() []*sync.Kind {
	return []*sync.Kind{
		{
			Name:  kindCredential,
			Scope: private,
			Fields: []sync.Field{
				{Name: fieldHash, Type: sync.Text, Required: true, Max: 256},
				{Name: fieldKept, Type: sync.Text},
			},
		},
		{
			Name:   kindDevice,
			Scope:  private,
			Fields: deviceFields(),
			Edges:  deviceEdges,
			Unique: []sync.Unique{{Field: fieldToken, Code: string(fault.ValueTaken)}},
			Rules:  pruneConsoles,
		},
	}
}

func deviceFields() []sync.Field {
	return []sync.Field{
		{Name: fieldUser, Type: sync.Reference, Refs: kindEmployee, Required: true},
		{Name: fieldToken, Type: sync.Text},
		{Name: fieldCredential, Type: sync.Integer},
		{Name: fieldConsole, Type: sync.Boolean},
		{Name: fieldName, Type: sync.Text, Max: maxText},
		{Name: fieldPlatform, Type: sync.Text, Max: maxText},
		{Name: fieldVersion, Type: sync.Text, Max: maxText},
		{Name: fieldPush, Type: sync.Text, Max: maxPushToken},
		{Name: fieldSignedIn, Type: sync.DateTime},
		{Name: fieldExpires, Type: sync.DateTime},
		{Name: fieldRevoked, Type: sync.DateTime},
		{Name: fieldHandIn, Type: sync.DateTime},
	}
}

func private(sync.Reader, string, sync.Fields) (string, error) { return sync.ScopePrivate, nil }

func deviceEdges(_ string, f sync.Fields) sync.Edges {
	return sync.Edges{Refs: []sync.Key{{Kind: kindEmployee, ID: text(f, fieldUser)}}}
}

// pruneConsoles removes, when an account opens one more console session, those
// that are over, and the oldest where there are too many: a script that signs
// in every minute must not fill the journal's memory.
func pruneConsoles(tx *sync.Tx, ch *sync.Change) error {
	if ch.Op != sync.Create || !flag(ch.New.Fields, fieldConsole) {
		return nil
	}
	live, err := otherConsoles(tx, ch.Key, text(ch.New.Fields, fieldUser))
	if err != nil {
		return err
	}
	sort.Slice(live, func(i, j int) bool {
		return moment(live[i].Fields, fieldExpires).Before(moment(live[j].Fields, fieldExpires))
	})
	for i, d := range live {
		over := !tx.Now().Before(moment(d.Fields, fieldExpires))
		if !over && len(live)-i < maxConsoles {
			break
		}
		if err := tx.Delete(d.Key); err != nil {
			return fmt.Errorf("remove %s: %w", d.Key, err)
		}
	}
	return nil
}

// otherConsoles are the console sessions of a user but for one.
func otherConsoles(r sync.Reader, but sync.Key, user string) ([]*sync.Document, error) {
	var out []*sync.Document
	for _, id := range r.Referrers(sync.Key{Kind: kindEmployee, ID: user}, kindDevice) {
		key := sync.Key{Kind: kindDevice, ID: id}
		if key == but {
			continue
		}
		d, err := r.Get(key)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		if flag(d.Fields, fieldConsole) {
			out = append(out, d)
		}
	}
	return out, nil
}

// Credential is the mutation that gives an employee its first password, for a
// write that creates both at once; it needs Write.Admit. The hash is one that
// Service.Hash made.
func Credential(employeeID, hash string) sync.Mutation {
	return sync.Mutation{
		Kind: kindCredential, DocID: employeeID, Op: sync.Create,
		Set: sync.Fields{fieldHash: hash},
	}
}

func text(f sync.Fields, name string) string {
	s, _ := f[name].(string)
	return s
}

func flag(f sync.Fields, name string) bool {
	b, _ := f[name].(bool)
	return b
}

// moment is a field's time; the zero time if it has none.
func moment(f sync.Fields, name string) time.Time {
	t, err := time.Parse(time.RFC3339, text(f, name))
	if err != nil {
		return time.Time{}
	}
	return t
}

// stamp is the form in which documents keep a time.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// number is a count as documents keep it.
func number(f sync.Fields, name string) uint64 {
	n, _ := f[name].(float64)
	return uint64(n)
}
