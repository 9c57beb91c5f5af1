package clients

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/enroute-field/enroute/internal/fold"
)

// column is what one column of a file fills: a field or a member of one.
type column struct {
	path  string
	parse cell
	names []string // beside the path itself; case, accents and punctuation do not matter
}

// importColumns are the columns a file may have.
var importColumns = []column{
	{"name", lineCell, []string{"Nom", "Client", "Nom du client", "Customer", "Customer name"}},
	{"companyName", lineCell, []string{"Entreprise", "Compagnie", "Raison sociale", "Company"}},
	{"description", paragraphCell, nil},
	{"code", lineCell, []string{"Code client", "Numéro de client", "No client", "Customer number"}},
	{"userId", lineCell, []string{"Identifiant"}},
	{"searchCode", lineCell, []string{"Code de recherche"}},
	{"cardId", lineCell, []string{"Carte", "Numéro de carte"}},
	{"isPerson", yesNoCell, []string{"Particulier", "Personne"}},
	{"firstName", lineCell, []string{"Prénom"}},
	{"lastName", lineCell, []string{"Nom de famille", "Surname"}},
	{"language", languageCell, []string{"Langue"}},
	{"phone", lineCell, []string{"Téléphone", "Tél", "No de téléphone", "Numéro de téléphone", "Phone number"}},
	{"officePhone", lineCell, []string{"Téléphone bureau", "Tél. bureau", "Téléphone au bureau"}},
	{"email", lineCell, []string{"Courriel", "Adresse courriel", "E-mail address"}},
	{"website", lineCell, []string{"Site web", "Site internet"}},
	{"address.line1", lineCell, []string{"Adresse", "Adresse 1", "Rue", "Address", "Address 1", "Street"}},
	{"address.line2", lineCell, []string{"Adresse 2", "Appartement", "Address 2", "Unit"}},
	{"address.city", lineCell, []string{"Ville", "Municipalité", "City"}},
	{"address.region", lineCell, []string{"Province", "Région", "Region", "State"}},
	{"address.postalCode", lineCell, []string{"Code postal", "Postal code", "Zip", "Zip code"}},
	{"address.country", countryCell, []string{"Pays", "Country"}},
	{"shippingAddress.line1", lineCell, []string{"Adresse de livraison", "Shipping address"}},
	{"shippingAddress.line2", lineCell, []string{"Adresse de livraison 2", "Shipping address 2"}},
	{"shippingAddress.city", lineCell, []string{"Ville de livraison", "Shipping city"}},
	{"shippingAddress.region", lineCell, []string{"Province de livraison", "Shipping region"}},
	{"shippingAddress.postalCode", lineCell, []string{"Code postal de livraison", "Shipping postal code"}},
	{"shippingAddress.country", countryCell, []string{"Pays de livraison", "Shipping country"}},
	{"billingSameAsShipping", yesNoCell, []string{"Facturation à la même adresse"}},
	{"billingAddress.line1", lineCell, []string{"Adresse de facturation", "Billing address"}},
	{"billingAddress.line2", lineCell, []string{"Adresse de facturation 2", "Billing address 2"}},
	{"billingAddress.city", lineCell, []string{"Ville de facturation", "Billing city"}},
	{"billingAddress.region", lineCell, []string{"Province de facturation", "Billing region"}},
	{"billingAddress.postalCode", lineCell, []string{"Code postal de facturation", "Billing postal code"}},
	{"billingAddress.country", countryCell, []string{"Pays de facturation", "Billing country"}},
	{"position.lat", numberCell, []string{"Latitude", "Lat"}},
	{"position.lng", numberCell, []string{"Longitude", "Lng"}},
	{"discountPercent", numberCell, []string{"Rabais", "Escompte", "Remise", "Discount"}},
	{"note", paragraphCell, []string{"Notes", "Remarque"}},
	{"showNote", yesNoCell, []string{"Afficher la note"}},
	{"signatureNotRequired", yesNoCell, []string{"Signature non requise"}},
	{"disabled", yesNoCell, []string{"Désactivé", "Inactif"}},
	{"assignedEmployeeIds", listCell, nil},
	{"assignedTeamIds", listCell, nil},
	{"parentId", lineCell, nil},
	{"payerId", lineCell, nil},
	{"currency", upperCell, []string{"Devise"}},
	{"creditLimit", integerCell, nil},
	{"onAccountAllowed", yesNoCell, []string{"Crédit permis"}},
}

// openObjects are those of which a file may fill any member: the header is
// "custom.color" or "externalIds.sage".
var openObjects = []string{"custom", "externalIds"}

// memberName is the form of a key of these objects.
var memberName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// columnIndex finds columns by their plain name.
type columnIndex map[string]*column

func newColumnIndex() columnIndex {
	index := columnIndex{}
	for i := range importColumns {
		c := &importColumns[i]
		index[plainName(c.path)] = c
		for _, n := range c.names {
			index[plainName(n)] = c
		}
	}
	return index
}

// of finds the column that a header names; nil if there is none.
func (x columnIndex) of(header string) *column {
	if object, member, ok := strings.Cut(header, "."); ok && memberName.MatchString(member) && slices.Contains(openObjects, object) {
		return &column{path: object + "." + member, parse: lineCell}
	}
	return x[plainName(header)]
}

// plainName is a header without case, accents, spaces and punctuation.
func plainName(header string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, fold.Name(header))
}

// ImportColumn names one column for documentation.
type ImportColumn struct {
	Field string   // path of the field, which is a header too
	Names []string // other headers
}

// ImportColumns lists the columns a file may have, beside "custom.<key>" and
// "externalIds.<system>".
func ImportColumns() []ImportColumn {
	out := make([]ImportColumn, len(importColumns))
	for i, c := range importColumns {
		out[i] = ImportColumn{c.path, slices.Clone(c.names)}
	}
	return out
}
