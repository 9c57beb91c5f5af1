package fault

import "strings"

// Problem is an Error in the form of RFC 9457, as answers carry it.
type Problem struct {
	Type   string         `json:"type"` // urn:enroute:<code>
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Code   Code           `json:"code"`
	Detail string         `json:"detail"`
	Errors []ProblemField `json:"errors,omitempty"`
}

// ProblemField is what is wrong with one field, in a Problem.
type ProblemField struct {
	Field  string `json:"field"`
	Code   Code   `json:"code"`
	Detail string `json:"detail"`
}

// Problem describes the error in lang ("fr…" is French, all else English).
// The cause stays out of it.
func (e *Error) Problem(lang string) Problem {
	p := Problem{
		Type:   "urn:enroute:" + string(e.Code),
		Title:  e.Code.Title(lang),
		Status: e.Code.Status(),
		Code:   e.Code,
		Detail: e.Detail(lang),
	}
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, ProblemField{f.Field, f.Code, f.Detail(lang)})
	}
	return p
}

// title is the short text of an HTTP status.
type title struct{ en, fr string }

var titles = map[int]title{
	400: {"Bad request", "Requête incorrecte"},
	401: {"Not signed in", "Non connecté"},
	403: {"Not allowed", "Non autorisé"},
	404: {"Not found", "Introuvable"},
	405: {"Method not allowed", "Méthode non permise"},
	409: {"Conflict", "Conflit"},
	410: {"No longer available", "N'est plus offert"},
	412: {"Changed in the meantime", "Modifié entre-temps"},
	413: {"Too large", "Trop volumineux"},
	415: {"Unsupported media type", "Type de contenu non accepté"},
	422: {"Not valid", "Non valide"},
	429: {"Too many requests", "Trop de requêtes"},
	500: {"Internal error", "Erreur interne"},
	503: {"Temporarily unavailable", "Temporairement indisponible"},
}

// Title is a short text that does not vary from one occurrence to the next.
func (c Code) Title(lang string) string {
	t := titles[c.Status()]
	if french(lang) {
		return t.fr
	}
	return t.en
}

func french(lang string) bool { return strings.HasPrefix(strings.ToLower(lang), "fr") }
