package mongo

import (
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/enroute-field/enroute/store/listing"
	"github.com/enroute-field/enroute/sync"
)

// The rows of the projections are found by their _id alone, one or a range of
// them: documents with these fields, always in this order. They are compared
// byte for byte, which is right for texts that are folded already.

// documentID is of the collection documents.
type documentID struct {
	History string `bson:"h"`
	Kind    string `bson:"k"`
	ID      string `bson:"i"`
}

// revisionID is of the collection revisions.
type revisionID struct {
	History string `bson:"h"`
	Kind    string `bson:"k"`
	ID      string `bson:"i"`
	Number  int64  `bson:"n"`
}

// listedID is of the collection listed.
type listedID struct {
	Make string `bson:"m"`
	Kind string `bson:"k"`
	ID   string `bson:"i"`
}

// entryID is of the collection entries.
type entryID struct {
	Make   string `bson:"m"`
	Kind   string `bson:"k"`
	Column string `bson:"c"`
	Order  string `bson:"o"`
	ID     string `bson:"i"`
}

// path is an _id, or its first fields, from which a range begins or where it
// ends.
func path(pairs ...any) bson.D {
	d := make(bson.D, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		d = append(d, bson.E{Key: pairs[i].(string), Value: pairs[i+1]})
	}
	return d
}

// bound is one end of a range.
type bound struct {
	op string
	at bson.D
}

func idsBetween(ends ...bound) bson.D {
	var cond bson.D
	for _, e := range ends {
		cond = append(cond, bson.E{Key: e.op, Value: e.at})
	}
	return bson.D{{Key: "_id", Value: cond}}
}

// under is the range of all _ids that begin with these fields: the next one's
// name comes last.
func under(next string, pairs ...any) bson.D {
	return idsBetween(bound{"$gte", path(pairs...)}, bound{"$lt", path(append(pairs, next, bson.MaxKey{})...)})
}

func among[T any](ids []T) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
}

// inSpan is the range of a column's entries whose order may lie in the span.
func inSpan(mk, kind, column string, s listing.Span) bson.D {
	from := bound{"$gte", path("m", mk, "k", kind, "c", column, "o", clean(s.From))}
	if end := clean(s.To); end == s.To {
		return idsBetween(from, bound{"$lt", path("m", mk, "k", kind, "c", column, "o", end, "i", bson.MaxKey{})})
	}
	return idsBetween(from, bound{"$lt", path("m", mk, "k", kind, "c", column, "o", following(clean(s.To)))})
}

// clean is what stands of a text before its first byte that no text of the
// database can have (listing.Top is one): all that begins with it lies around
// the text.
func clean(s string) string {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			return s[:i]
		}
	}
	return s
}

// following is the least text after all that begin with prefix.
func following(prefix string) any {
	runes := []rune(prefix)
	for len(runes) > 0 {
		last := &runes[len(runes)-1]
		*last++
		if *last == 0xd800 { // what follows is no character
			*last = 0xe000
		}
		if *last <= utf8.MaxRune {
			return string(runes)
		}
		runes = runes[:len(runes)-1]
	}
	return bson.MaxKey{}
}

// atMost is an end of a range of texts; listing.Top is above them all.
func atMost(s string) any {
	if s == listing.Top {
		return bson.MaxKey{}
	}
	return s
}

func idOf(history string, k sync.Key) documentID { return documentID{history, k.Kind, k.ID} }
