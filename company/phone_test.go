package company_test

import (
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/enroute-field/enroute/company"
)

func TestE164ReadsWhatPeopleType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ typed, region, want string }{
		{"514 555-0123", "CA", "+15145550123"},
		{"(514) 555.0123", "CA", "+15145550123"},
		{"1-514-555-0123", "CA", "+15145550123"},
		{"+1 514 555 0123", "FR", "+15145550123"},
		{"514-555-0123 poste 22", "CA", "+15145550123"},
		{"514-555-0123 Poste: 2201", "CA", "+15145550123"},
		{"514-555-0123, poste 22", "CA", "+15145550123"},
		{"514-555-0123 (poste 22)", "CA", "+15145550123"},
		{"514-555-0123 p. 22", "CA", "+15145550123"},
		{"514-555-0123 ext. 22", "CA", "+15145550123"},
		{"514-555-0123 ext 22", "CA", "+15145550123"},
		{"514-555-0123x22", "CA", "+15145550123"},
		{"514-555-0123 #22", "CA", "+15145550123"},
		{"01 42 68 53 00", "FR", "+33142685300"},
		{"+33 1 42 68 53 00 poste 5", "CA", "+33142685300"},
		{"555-0123", "CA", ""},
		{"poste 22", "CA", ""},
		{"appeler le bureau", "CA", ""},
		{"", "CA", ""},
		{"514 555-0123", "XX", ""},
	} {
		if got := company.E164(c.typed, c.region); got != c.want {
			t.Errorf("E164(%q, %q) = %q, want %q", c.typed, c.region, got, c.want)
		}
	}
}

func TestE164OfANumberIsItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := "+1514" + rapid.StringMatching(`[2-9][0-9]{6}`).Draw(t, "number")
		first := company.E164(number, "FR")
		if first == "" {
			t.Skip("not a number that is in use")
		}
		if first != number {
			t.Fatalf("E164(%q) = %q", number, first)
		}
		behind := rapid.SampledFrom([]string{" poste ", " p. ", " ext. ", "x", " #"}).Draw(t, "behind")
		if got := company.E164(number+behind+"22", "FR"); got != number {
			t.Fatalf("with %q22: %q, want %q", behind, got, number)
		}
	})
}

// What is read the short way is what the library reads, signs in odd places
// and numbers that cannot be included.
func TestE164AsTheLibrary(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		typed := rapid.OneOf(
			rapid.StringMatching(`\(?[2-9][0-9]{2}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}`),
			rapid.StringMatching(`[-0-9 .()+]{8,16}`),
			rapid.StringMatching(`[ (]?[0-9]{3}[)(. -]{0,2}[0-9]{3}[. -]{0,3}[0-9]{4}[ )]?`),
		).Draw(t, "typed")
		region := rapid.SampledFrom([]string{"CA", "US", "JM", "FR", "PL", ""}).Draw(t, "region")
		want := ""
		if number, err := phonenumbers.Parse(typed, region); err == nil && phonenumbers.IsValidNumber(number) {
			want = phonenumbers.Format(number, phonenumbers.E164)
		}
		if got := company.E164(typed, region); got != want {
			t.Fatalf("E164(%q, %q) = %q, the library reads %q", typed, region, got, want)
		}
	})
}
