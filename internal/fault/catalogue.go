package fault

import "strings"

// Code names one kind of error. It is stable and documented in
// docs/protocol.md; clients decide by it.
type Code string

// The codes, each with a row in the catalogue below.
const (
	Internal          Code = "internal"
	BadRequest        Code = "bad_request"
	MalformedJSON     Code = "malformed_json"
	TooDeep           Code = "too_deep"
	BadUTF8           Code = "bad_utf8"
	DuplicateMember   Code = "duplicate_member"
	BadCursor         Code = "bad_cursor"
	NotSignedIn       Code = "not_signed_in"
	BadCredentials    Code = "bad_credentials"
	DeviceRevoked     Code = "device_revoked"
	Forbidden         Code = "forbidden"
	NotFound          Code = "not_found"
	MethodNotAllowed  Code = "method_not_allowed"
	IDExists          Code = "id_exists"
	OpenTasks         Code = "open_tasks"
	Gone              Code = "gone"
	PreconditionFail  Code = "precondition_failed"
	TooLarge          Code = "too_large"
	PushTooLarge      Code = "push_too_large"
	UnsupportedType   Code = "unsupported_media_type"
	InvalidInput      Code = "invalid"
	MutationIDReused  Code = "mutation_id_reused"
	KeyReused         Code = "idempotency_key_reused"
	FieldNotAllowed   Code = "field_not_allowed"
	NameTaken         Code = "name_taken"
	ValueTaken        Code = "value_taken"
	EmailTaken        Code = "email_taken"
	ClientDisabled    Code = "client_disabled"
	ClientNotAssigned Code = "client_not_assigned"
	Cycle             Code = "cycle"
	IllegalTransition Code = "illegal_transition"
	ReasonRequired    Code = "reason_required"
	CreateRefused     Code = "create_refused"
	GroupRefused      Code = "group_refused"
	LastAdmin         Code = "last_admin"
	InUse             Code = "in_use"
	PrimaryNeeded     Code = "primary_needed"
	SignatureRequired Code = "signature_required"
	WeakPassword      Code = "weak_password"
	TooManyRequests   Code = "too_many_requests"
	Unavailable       Code = "unavailable"

	// Codes of single fields.
	Required     Code = "required"
	WrongType    Code = "wrong_type"
	UnknownField Code = "unknown_field"
	UnknownKind  Code = "unknown_kind"
	UnknownParam Code = "unknown_parameter"
	ReadOnly     Code = "read_only"
	NotOneOf     Code = "not_one_of"
	Repeated     Code = "repeated"
	OutOfRange   Code = "out_of_range"
	TooLong      Code = "too_long"
	BadFormat    Code = "bad_format"
	UnknownRef   Code = "unknown_reference"
	BeforeStart  Code = "before_start"
	TooMany      Code = "too_many"
	BadText      Code = "bad_characters"
	// WrongPassword is for a current password that is not the account's.
	WrongPassword Code = "wrong_password"

	// Codes of imported files.
	UnknownColumns Code = "unknown_columns"
	RepeatedColumn Code = "repeated_column"
	TooManyCells   Code = "too_many_cells"
	BadQuotes      Code = "bad_quotes"
)

// entry is one row of the catalogue: the HTTP status of the code (RFC 9110)
// and its texts. {name} is replaced by the argument of that name.
type entry struct {
	status int
	en, fr text
}

type text string

func (t text) fill(args map[string]string) string {
	s := string(t)
	for k, v := range args {
		s = strings.ReplaceAll(s, "{"+k+"}", v)
	}
	return s
}

var catalogue = map[Code]entry{
	Internal:          {500, "Something went wrong on our side. Nothing was changed; please try again.", "Une erreur s'est produite de notre côté. Rien n'a été modifié; veuillez réessayer."},
	BadRequest:        {400, "The request could not be read: {why}.", "La requête est illisible : {why}."},
	MalformedJSON:     {400, "The body is not valid JSON; it breaks at byte {at}.", "Le corps n'est pas du JSON valide; la rupture est à l'octet {at}."},
	TooDeep:           {400, "The JSON is nested deeper than {max} levels.", "Le JSON est imbriqué sur plus de {max} niveaux."},
	BadUTF8:           {400, "The text is not valid UTF-8.", "Le texte n'est pas de l'UTF-8 valide."},
	DuplicateMember:   {400, "The JSON names {member} twice in one object.", "Le JSON nomme {member} deux fois dans un même objet."},
	BadCursor:         {400, "This cursor was not given to this device.", "Ce curseur n'a pas été remis à cet appareil."},
	NotSignedIn:       {401, "Please sign in.", "Veuillez vous connecter."},
	BadCredentials:    {401, "The e-mail address or the password is not right.", "L'adresse courriel ou le mot de passe est incorrect."},
	DeviceRevoked:     {401, "This device was removed by an administrator.", "Cet appareil a été retiré par un administrateur."},
	Forbidden:         {403, "You are not allowed to do this.", "Vous n'êtes pas autorisé à faire cela."},
	NotFound:          {404, "There is no such thing here, or you cannot see it.", "Cet élément n'existe pas, ou vous ne pouvez pas le voir."},
	MethodNotAllowed:  {405, "This address does not take this method.", "Cette adresse n'accepte pas cette méthode."},
	IDExists:          {409, "A document with this identifier exists or has existed.", "Un document portant cet identifiant existe ou a existé."},
	OpenTasks:         {409, "This client still has open tasks: {tasks}.", "Ce client a encore des tâches ouvertes : {tasks}."},
	Gone:              {410, "This list can no longer be continued; please start it again.", "Cette liste ne peut plus être poursuivie; veuillez la recommencer."},
	PreconditionFail:  {412, "The document has been changed since you read it.", "Le document a été modifié depuis votre lecture."},
	TooLarge:          {413, "The request is larger than {limit}.", "La requête dépasse {limit}."},
	PushTooLarge:      {413, "This push is too large for one commit; please halve it.", "Cet envoi est trop volumineux pour une seule écriture; veuillez le couper en deux."},
	UnsupportedType:   {415, "Please send application/json.", "Veuillez envoyer du application/json."},
	InvalidInput:      {422, "Some values are not valid.", "Certaines valeurs ne sont pas valides."},
	MutationIDReused:  {422, "This mutation identifier was already used for something else.", "Cet identifiant de mutation a déjà servi à autre chose."},
	KeyReused:         {422, "This Idempotency-Key was already used for another request.", "Cette clé d'idempotence a déjà servi à une autre requête."},
	FieldNotAllowed:   {422, "You may not change {field}.", "Vous ne pouvez pas modifier {field}."},
	NameTaken:         {422, "Another client already has this name: {other}.", "Un autre client porte déjà ce nom : {other}."},
	ValueTaken:        {422, "Another document already has this {field}: {other}.", "Un autre document a déjà cette valeur de {field} : {other}."},
	EmailTaken:        {422, "Another account already uses this e-mail address.", "Un autre compte utilise déjà cette adresse courriel."},
	ClientDisabled:    {422, "This client is disabled; no new work can be planned for it.", "Ce client est désactivé; aucun nouveau travail ne peut y être prévu."},
	ClientNotAssigned: {422, "This client is not assigned to you.", "Ce client ne vous est pas assigné."},
	Cycle:             {422, "This would make {field} go round in a circle.", "Cela ferait tourner {field} en rond."},
	IllegalTransition: {422, "A task cannot go from {from} to {to}.", "Une tâche ne peut pas passer de {from} à {to}."},
	ReasonRequired:    {422, "Going to {to} needs a reason.", "Le passage à {to} exige une raison."},
	CreateRefused:     {422, "The creation of this document was refused.", "La création de ce document a été refusée."},
	GroupRefused:      {422, "Another change of the same group was refused.", "Une autre modification du même groupe a été refusée."},
	LastAdmin:         {422, "The last administrator must stay.", "Le dernier administrateur doit rester."},
	InUse:             {409, "This is still used by: {by}.", "Ceci est encore utilisé par : {by}."},
	PrimaryNeeded:     {422, "A client's primary contact is changed by choosing another one.", "Pour changer le contact principal d'un client, il faut en choisir un autre."},
	SignatureRequired: {422, "This task needs a signature before it can be completed.", "Cette tâche exige une signature avant d'être terminée."},
	WeakPassword:      {422, "A password needs at least {min} characters.", "Un mot de passe doit avoir au moins {min} caractères."},
	TooManyRequests:   {429, "Too many attempts; please wait.", "Trop de tentatives; veuillez patienter."},
	Unavailable:       {503, "The server cannot do this just now; please try again.", "Le serveur ne peut pas le faire pour l'instant; veuillez réessayer."},

	Required:      {422, "This is required.", "Ce champ est obligatoire."},
	WrongType:     {422, "This must be {type}.", "Ceci doit être de type {type}."},
	UnknownField:  {422, "There is no such field.", "Ce champ n'existe pas."},
	UnknownKind:   {422, "There is no such kind of document: {kind}.", "Ce genre de document n'existe pas : {kind}."},
	UnknownParam:  {422, "There is no such parameter.", "Ce paramètre n'existe pas."},
	ReadOnly:      {422, "Only the server sets this.", "Seul le serveur définit cette valeur."},
	NotOneOf:      {422, "This must be one of {values}.", "Ceci doit être l'une des valeurs {values}."},
	Repeated:      {422, "This may be given only once.", "Ceci ne peut être donné qu'une fois."},
	OutOfRange:    {422, "This must be between {min} and {max}.", "Ceci doit être entre {min} et {max}."},
	TooLong:       {422, "This is longer than {max}.", "Ceci dépasse {max}."},
	BadFormat:     {422, "This is not {type}.", "Ceci n'est pas {type}."},
	WrongPassword: {422, "This is not your current password.", "Ce n'est pas votre mot de passe actuel."},
	UnknownRef:    {422, "There is no such {kind}, or you cannot see it.", "Ce {kind} n'existe pas, ou vous ne pouvez pas le voir."},
	BeforeStart:   {422, "The end lies before the start.", "La fin précède le début."},
	TooMany:       {422, "There are more than {max} of these.", "Il y en a plus de {max}."},
	BadText:       {422, "This has characters that are not allowed here.", "Ceci contient des caractères non permis ici."},

	UnknownColumns: {422, "The file has columns with unknown names: {columns}.", "Le fichier a des colonnes aux noms inconnus : {columns}."},
	RepeatedColumn: {422, "Two columns fill the same field; the second one is {column}.", "Deux colonnes remplissent le même champ; la seconde est {column}."},
	TooManyCells:   {422, "This row has {cells} cells under {columns} column names.", "Cette ligne a {cells} cellules pour {columns} noms de colonnes."},
	BadQuotes:      {422, "The quotation marks of this row do not match.", "Les guillemets de cette ligne ne concordent pas."},
}

// Status is the HTTP status of the code.
func (c Code) Status() int {
	if e, ok := catalogue[c]; ok {
		return e.status
	}
	return catalogue[Internal].status
}

// Codes lists every code there is, for documentation and tests.
func Codes() []Code {
	out := make([]Code, 0, len(catalogue))
	for c := range catalogue {
		out = append(out, c)
	}
	return out
}

func (c Code) text(lang string) text {
	e, ok := catalogue[c]
	if !ok {
		e = catalogue[Internal]
	}
	if strings.HasPrefix(strings.ToLower(lang), "fr") {
		return e.fr
	}
	return e.en
}
