package sync

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// benchmarkPush evaluates pushes of ten documents of about 0.9 KB, without the
// append: b.N is the number of documents.
func benchmarkPush(b *testing.B, m func(w *pushWorld, n int) Mutation) {
	w := newPushWorld(b)
	note := strings.Repeat("lorem ipsum dolor sit amet ", 20)
	custom := map[string]any{}
	for i := range 10 {
		custom[fmt.Sprint("key", i)] = "some value " + fmt.Sprint(i)
	}
	for i := range 100 {
		w.mustWrite(office, create("client", fmt.Sprint("b", i), Fields{"name": fmt.Sprint("B ", i), "note": note, "custom": custom}))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		batch := w.batch()
		var done []*staged
		for range 16 {
			muts := make([]Mutation, 10)
			for i := range muts {
				muts[i] = m(w, n)
				n++
			}
			s, err := batch.push(context.Background(), office, w.head(), &PushRequest{Mutations: w.withIDs(muts)}, w.outcome)
			if err != nil {
				b.Fatal(err)
			}
			done = append(done, s)
		}
		b.StopTimer()
		for _, s := range done {
			w.confirm(s)
		}
		b.StartTimer()
	}
}

func BenchmarkPushUpdates(b *testing.B) {
	benchmarkPush(b, func(w *pushWorld, n int) Mutation {
		return update("client", fmt.Sprint("b", n%100), w.head(), Fields{"visit": fmt.Sprint(n), "discount": float64(n % 100)})
	})
}

func BenchmarkPushCreates(b *testing.B) {
	note := strings.Repeat("lorem ipsum dolor sit amet ", 20)
	benchmarkPush(b, func(_ *pushWorld, n int) Mutation {
		return create("client", fmt.Sprint("n", n), Fields{"name": fmt.Sprint("N ", n), "note": note,
			"address": map[string]any{"line": "1, rue Principale", "city": "Saint-Élie"}, "tags": []any{"vip", "new"}})
	})
}
