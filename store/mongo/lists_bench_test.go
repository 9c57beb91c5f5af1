package mongo

import (
	"fmt"
	"testing"
	"time"

	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/sync"
)

// BenchmarkList measures pages of lists of 20,000 clients.
func BenchmarkList(b *testing.B) {
	const all, part = 20_000, 500
	idx := fields(b)
	s := open(b, mongotest.Database(b), idx)
	b.Cleanup(func() { must(b, s.Close()) })
	var head sync.Head
	for from := 0; from < all; from += part {
		var changes []sync.Version
		for i := from; i < from+part; i++ {
			changes = append(changes, client(fmt.Sprintf("c%06d", i*7919%all), fmt.Sprintf("%s %d", cities[i%len(cities)], i), i%40, "tag "+cities[i%3]))
		}
		c := &sync.Commit{Number: head.Number + 1, Prev: head.Hash, At: time.UnixMicro(1), Changes: changes}
		c.Seal()
		must(b, s.Append(b.Context(), "w", []*sync.Commit{c}))
		head = sync.Head{Number: c.Number, Hash: c.Hash, At: c.At}
	}
	begun := time.Now()
	if _, err := s.List(b.Context(), "w", head.Number, sync.Query{Kind: "client", Limit: 1}); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d documents were listed %v after the last append", all, time.Since(begun).Round(time.Millisecond))
	equal := func(field, exact, order string, not bool) sync.Filter {
		return sync.Filter{Field: field, Not: not, Values: []sync.Entry{{Field: field, Exact: exact, Order: order}}}
	}
	three, err := sync.EntryFor(idx.Kind("client").Field("visits"), "visits", "3")
	must(b, err)
	visits := sync.Filter{Field: "visits", Values: []sync.Entry{three}}
	notThree := visits
	notThree.Not = true
	byName := []sync.SortKey{{Field: "name"}}
	for _, q := range []struct {
		name  string
		query sync.Query
	}{
		{"plain", sync.Query{}},
		{"by name", sync.Query{Sort: byName}},
		{"by name, downward, from the middle", sync.Query{Sort: []sync.SortKey{{Field: "name", Descending: true}},
			After: &sync.ListPlace{Order: []string{"m"}, Missing: []bool{false}, ID: "c"}}},
		{"most of it by name", sync.Query{Filters: []sync.Filter{notThree}, Sort: byName}},
		{"a fortieth by name", sync.Query{Filters: []sync.Filter{visits}, Sort: byName}},
		{"a third by name", sync.Query{Filters: []sync.Filter{equal("tags", "tag Québec", "tag quebec", false)}, Sort: byName}},
		{"one word", sync.Query{Words: []string{"gatineau"}, Sort: byName}},
		{"two words", sync.Query{Words: []string{"quebec", "17"}, Sort: byName}},
	} {
		q.query.Kind, q.query.Limit = "client", 50
		b.Run(q.name, func(b *testing.B) {
			fastest := time.Hour
			for b.Loop() {
				from := time.Now()
				if _, err := s.List(b.Context(), "w", head.Number, q.query); err != nil {
					b.Fatal(err)
				}
				fastest = min(fastest, time.Since(from))
			}
			b.ReportMetric(float64(fastest.Microseconds())/1000, "ms-min")
		})
	}
}

var cities = []string{"Montréal", "Québec", "Gatineau", "Lévis", "Trois-Rivières", "Rimouski", "Val-d'Or", "Saguenay"}
