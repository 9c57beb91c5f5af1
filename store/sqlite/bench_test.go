package sqlite

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/sync"
)

// benchRegistry declares about as many list fields as a client has.
func benchRegistry(tb testing.TB) *sync.Registry {
	tb.Helper()
	r, err := sync.NewRegistry(&sync.Kind{
		Name:  "client",
		Scope: func(_ sync.Reader, id string, _ sync.Fields) (string, error) { return "client:" + id, nil },
		Fields: []sync.Field{
			{Name: "name", Type: sync.Text, Filter: true, Search: true},
			{Name: "code", Type: sync.Text, Filter: true, Search: true},
			{Name: "phone", Type: sync.Phone, Filter: true, Search: true},
			{Name: "phoneE164", Type: sync.Text, Filter: true},
			{Name: "email", Type: sync.Email, Filter: true, Search: true},
			{Name: "address", Type: sync.Object, Filter: true, Search: true},
			{Name: "language", Type: sync.Language, Filter: true},
			{Name: "disabled", Type: sync.Boolean, Filter: true},
			{Name: "isPerson", Type: sync.Boolean, Filter: true},
			{Name: "balance", Type: sync.Number, Filter: true},
			{Name: "assignedEmployeeIds", Type: sync.Texts, Filter: true},
			{Name: "custom", Type: sync.Object, Filter: true},
			{Name: "note", Type: sync.LongText},
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

var streets = []string{"Saint-Denis", "Sherbrooke", "Laurier", "de l'Église", "Principale", "du Moulin", "Notre-Dame"}
var cities = []string{"Montréal", "Québec", "Gatineau", "Lévis", "Trois-Rivières", "Rimouski", "Val-d'Or", "Saguenay"}

// benchClient is a client of about 900 bytes.
func benchClient(i int) sync.Version {
	random := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i)).String()
	id := fmt.Sprintf("%08x-%04x-7%s", i>>8, i<<8&0xffff, random[15:]) // as a UUIDv7: in order of time
	name := fmt.Sprintf("%s %s %d", []string{"Plomberie", "Dépanneur", "Garage", "Clinique"}[i%4], streets[i%7], i)
	at := time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)
	body, err := json.Marshal(map[string]any{
		"kind": "client", "id": id, "rev": i, "scope": "client:" + id, "createdAt": at, "updatedAt": at.Add(time.Hour),
		"name": name, "code": fmt.Sprint("C-", i), "phone": fmt.Sprintf("(514) %03d-%04d", i%1000, i%9999),
		"phoneE164": fmt.Sprintf("+1514%03d%04d", i%1000, i%9999), "email": fmt.Sprintf("info%d@exemple.example", i),
		"address": map[string]any{
			"line1": fmt.Sprint(i%5000, " rue ", streets[i%7]), "city": cities[i*7919%8], "region": "QC",
			"postalCode": fmt.Sprintf("H%dX %dY%d", i%10, i%7, i%9), "country": "CA",
		},
		"language": "fr", "disabled": i%100 == 0, "isPerson": i%3 == 0, "balance": i % 5000,
		"assignedEmployeeIds": []string{fmt.Sprint("e", i%200)},
		"custom":              map[string]any{"route": fmt.Sprint("R", i%30)},
		"note":                strings.Repeat("Sonner à la porte arrière. ", 5),
	})
	if err != nil {
		panic(err)
	}
	return sync.Version{Key: sync.Key{Kind: "client", ID: id}, Scope: "client:" + id, Body: body, Marks: []byte(`{"name":{"r":1,"b":"device:d1","t":"2026-11-21T00:00:00Z"}}`)}
}

// follow makes the sealed commit after head.
func follow(head sync.Head, changes ...sync.Version) (*sync.Commit, sync.Head) {
	c := &sync.Commit{
		Number: head.Number + 1, Prev: head.Hash, Nonce: uuid.New(), At: time.UnixMicro(1_790_000_000_000_000).UTC(),
		Actor: sync.Actor{User: "u"}, Cause: sync.Cause{Kind: "push"}, Changes: changes,
	}
	for i := range changes {
		changes[i].Rev = c.Number
		c.Outcomes = append(c.Outcomes, sync.Outcome{ID: uuid.New(), User: "u", Result: []byte(`{"status":"applied"}`)})
	}
	c.Seal()
	return c, sync.Head{Number: c.Number, Hash: c.Hash, At: c.At}
}

// BenchmarkAppend measures durable documents per second: 16 appenders at
// once, commits of 10 documents.
func BenchmarkAppend(b *testing.B) {
	const appenders, documents = 16, 10
	s := openAt(b, filepath.Join(b.TempDir(), "x.db"), benchRegistry(b))
	defer func() { _ = s.Close() }()
	sample := make([]sync.Version, 1000)
	for i := range sample {
		sample[i] = benchClient(i)
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	var g errgroup.Group
	b.ResetTimer()
	for a := range appenders {
		g.Go(func() error {
			var head sync.Head
			for n := 0; left.Add(-documents) > -documents; n++ {
				changes := make([]sync.Version, documents)
				for i := range changes {
					changes[i] = sample[(n*documents+i)%len(sample)]
					changes[i].ID = fmt.Sprintf("%02d-%09d-%026d", a, n*documents+i, i)
				}
				c, next := follow(head, changes...)
				if err := s.Append(b.Context(), fmt.Sprint("w", a), []*sync.Commit{c}); err != nil {
					return err
				}
				head = next
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "documents/s")
}

// fill appends clients and waits until they are listed.
func fill(b *testing.B, s *Store, n int) sync.Head {
	b.Helper()
	var head sync.Head
	for from := 0; from < n; from += 1000 {
		var changes []sync.Version
		for i := from; i < min(n, from+1000); i++ {
			changes = append(changes, benchClient(i))
		}
		var c *sync.Commit
		c, head = follow(head, changes...)
		if err := s.Append(b.Context(), "w", []*sync.Commit{c}); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := s.List(b.Context(), "w", head.Number, sync.Query{Kind: "client", Limit: 1}); err != nil {
		b.Fatal(err)
	}
	return head
}

// BenchmarkProject measures how many documents per second become listed.
func BenchmarkProject(b *testing.B) {
	s := openAt(b, filepath.Join(b.TempDir(), "x.db"), benchRegistry(b))
	defer func() { _ = s.Close() }()
	b.ResetTimer()
	fill(b, s, b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "documents/s")
}

// BenchmarkList measures the first page of lists of 100,000 clients.
func BenchmarkList(b *testing.B) {
	idx := benchRegistry(b)
	s := openAt(b, filepath.Join(b.TempDir(), "x.db"), idx)
	defer func() { _ = s.Close() }()
	head := fill(b, s, 100_000)
	filter := func(path, text string) sync.Filter {
		name, _, _ := strings.Cut(path, ".")
		e, err := sync.EntryFor(idx.Kind("client").Field(name), path, text)
		if err != nil {
			b.Fatal(err)
		}
		return sync.Filter{Field: path, Values: []sync.Entry{e}}
	}
	shown := filter("disabled", "true")
	shown.Not = true
	byName := []sync.SortKey{{Field: "name"}}
	newest := []sync.SortKey{{Field: "updatedAt", Descending: true}}
	for _, q := range []struct {
		name  string
		query sync.Query
	}{
		{"plain", sync.Query{}},
		{"by name", sync.Query{Sort: byName}},
		{"shown by name", sync.Query{Filters: []sync.Filter{shown}, Sort: byName}},
		{"city by name", sync.Query{Filters: []sync.Filter{filter("address.city", "Québec"), shown}, Sort: byName}},
		{"route by name", sync.Query{Filters: []sync.Filter{filter("custom.route", "R7"), shown}, Sort: byName}},
		{"assigned by newest", sync.Query{Filters: []sync.Filter{filter("assignedEmployeeIds", "e17"), shown}, Sort: newest}},
		{"name and newest", sync.Query{Filters: []sync.Filter{shown}, Sort: slices.Concat(byName, newest)}},
		{"one word", sync.Query{Words: []string{"plomberie"}, Filters: []sync.Filter{shown}, Sort: byName}},
		{"two words", sync.Query{Words: []string{"plom", "77"}, Filters: []sync.Filter{shown}, Sort: byName}},
		{"one letter", sync.Query{Words: []string{"p"}, Filters: []sync.Filter{shown}, Sort: byName}},
		{"phone", sync.Query{Words: []string{"514", "123", "1123"}, Filters: []sync.Filter{shown}, Sort: byName}},
	} {
		q.query.Kind, q.query.Limit = "client", 50
		b.Run(q.name, func(b *testing.B) {
			var slowest time.Duration
			for b.Loop() {
				from := time.Now()
				if _, err := s.List(b.Context(), "w", head.Number, q.query); err != nil {
					b.Fatal(err)
				}
				slowest = max(slowest, time.Since(from))
			}
			b.ReportMetric(float64(slowest.Microseconds())/1000, "ms-max")
		})
	}
}
