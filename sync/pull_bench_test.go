package sync_test

import (
	"fmt"
	"testing"

	"github.com/enroute-field/enroute/sync"
	"github.com/enroute-field/enroute/sync/enginetest"
)

// world of 20 accounts with 100 folders each, of about 900 bytes.
func benchWorld(b *testing.B) (w *enginetest.World, cursor string) {
	b.Helper()
	seed := []sync.Mutation{
		enginetest.Create("settings", "settings", sync.Fields{"zone": "UTC"}),
		enginetest.Create("profile", "closed", nil),
		enginetest.Create("user", "boss", sync.Fields{"role": "admin"}),
	}
	for i := range 20 {
		seed = append(seed, enginetest.Create("user", fmt.Sprint("u", i), sync.Fields{"role": "technician"}))
	}
	w = enginetest.New(b, enginetest.Options{Kinds: kinds(), Seed: seed})
	for i := range 20 {
		var all []sync.Mutation
		for j := range 100 {
			all = append(all, enginetest.Create("folder", fmt.Sprintf("f%d-%d", i, j), sync.Fields{
				"name": fmt.Sprintf("%0180d", j), "holders": []any{fmt.Sprint("u", i)}}))
		}
		w.MustWrite(boss, all...)
	}
	_, cursor = w.Pull(enginetest.Phone("u3"), "")
	return w, cursor
}

func BenchmarkPullNothingNew(b *testing.B) {
	w, cursor := benchWorld(b)
	a := enginetest.Phone("u3")
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		p, err := w.Workspace.Pull(b.Context(), a, cursor, 0)
		if err != nil || len(p.Put) != 0 {
			b.Fatal(err)
		}
		buf = p.AppendJSON(buf[:0])
	}
}

func BenchmarkPullTenChanged(b *testing.B) {
	w, cursor := benchWorld(b)
	for i := range 10 {
		w.MustWrite(boss, enginetest.Update("folder", fmt.Sprint("f3-", i), 0, sync.Fields{"name": fmt.Sprintf("%0181d", i)}))
	}
	a := enginetest.Phone("u3")
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		p, err := w.Workspace.Pull(b.Context(), a, cursor, 0)
		if err != nil || len(p.Put) != 10 {
			b.Fatalf("%d documents, %v", len(p.Put), err)
		}
		buf = p.AppendJSON(buf[:0])
	}
}
