package company_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/enroute-field/enroute/company"
	"github.com/enroute-field/enroute/internal/fault"
	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

// FuzzE164: what is a telephone number has one international form, which is
// itself when read again.
func FuzzE164(f *testing.F) {
	f.Add("514-555-0123 poste 22", "CA")
	f.Add("+33 1 42 68 53 00", "")
	f.Add("12 34", "CA")
	f.Add("000-0000", "CA")
	f.Fuzz(func(t *testing.T, typed, region string) {
		got := company.E164(typed, region)
		if got == "" {
			return
		}
		if !strings.HasPrefix(got, "+") || len(got) < 8 || len(got) > 16 || strings.Trim(got[1:], "0123456789") != "" {
			t.Errorf("E164(%q, %q) = %q, which is not in the form of E.164", typed, region, got)
		}
		if again := company.E164(got, region); again != got {
			t.Errorf("E164(%q) = %q, read again %q", typed, got, again)
		}
	})
}

// FuzzSettings: settings are refused with a fault that names the field, or
// are such that hours, money and languages can be read from them.
func FuzzSettings(f *testing.F) {
	w := enginetest.New(f, enginetest.Options{Kinds: company.Kinds(), Seed: []sync.Mutation{
		enginetest.Create(company.KindSettings, company.SettingsID, nil),
	}})
	for i, values := range [][]string{
		// ISO 4217 has a code for "no currency": three letters like any other.
		{"CAD", "cad", "XXX", "ZZZ"}, {"CA", "ca", "001", "EU", ""}, {"fr", "fr-CA", "x", "français"},
		{"08:00-17:00", "17:00-08:00", "8:00-17:00", "24:00-25:00", "08:00-08:00"}, {"22:00", "24:00", "2:00", "٠٨:٠٠"}, {"America/Toronto", "Local", "/etc/localtime", "UTC"},
	} {
		for _, v := range values {
			f.Add(uint8(i), v)
		}
	}
	clock := `([01][0-9]|2[0-3]):[0-5][0-9]`
	forms := []*regexp.Regexp{
		regexp.MustCompile(`^[A-Z]{3}$`), regexp.MustCompile(`^[A-Z]{2}$`), regexp.MustCompile(`^[A-Za-z0-9_-]+$`),
		regexp.MustCompile(`^` + clock + `-` + clock + `$`), regexp.MustCompile(`^` + clock + `$`), regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`),
	}
	f.Fuzz(func(t *testing.T, which uint8, v string) {
		i := int(which) % len(forms)
		set := []sync.Fields{
			{"currency": v}, {"region": v}, {"languages": []any{v}}, {"businessHours": map[string]any{"monday": []any{v}}},
			{"quietHours": map[string]any{"start": v}}, {"timeZone": v},
		}[i]
		_, err := w.Workspace.Write(t.Context(), sync.System("test"), sync.Write{
			Cause: sync.Cause{Kind: "system"}, Mutations: []sync.Mutation{enginetest.Update(company.KindSettings, company.SettingsID, 0, set)},
		})
		if err != nil {
			if e := fault.Of(err); e.Code != fault.InvalidInput || len(e.Fields) == 0 {
				t.Fatalf("%v is refused with %v", set, err)
			}
			return
		}
		if !forms[i].MatchString(v) && v != "" || i == 3 && v[:5] >= v[6:] {
			t.Fatalf("%v is accepted", set)
		}
	})
}
