package mongo

import (
	"fmt"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/enroute-field/enroute/store/mongotest"
	"github.com/enroute-field/enroute/sync"
)

// BenchmarkAppend appends commits of some hundred bytes: as the engine does,
// which gathers what producers have into one append, and to many workspaces.
func BenchmarkAppend(b *testing.B) {
	for _, together := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("together-%d", together), func(b *testing.B) {
			s := opened(b, mongotest.Database(b))
			head := sync.Head{}
			for n := 0; b.Loop(); n++ {
				commits := follow(head, together)
				must(b, s.Append(b.Context(), "w", commits))
				head = headOf(commits[together-1])
			}
			b.ReportMetric(float64(b.N*together)/b.Elapsed().Seconds(), "commits/s")
		})
	}
	for _, workspaces := range []int{8, 64} {
		b.Run(fmt.Sprintf("workspaces-%d", workspaces), func(b *testing.B) {
			s := opened(b, mongotest.Database(b))
			heads := make([]sync.Head, workspaces)
			for i := range heads {
				heads[i], _ = add(b, s, fmt.Sprint("w", i), heads[i], 1)
			}
			b.ResetTimer()
			var left atomic.Int64
			left.Store(int64(b.N))
			var g errgroup.Group
			for i := range heads {
				g.Go(func() error {
					for left.Add(-1) >= 0 {
						c := after(heads[i])
						if err := s.Append(b.Context(), fmt.Sprint("w", i), []*sync.Commit{c}); err != nil {
							return err
						}
						heads[i] = headOf(c)
					}
					return nil
				})
			}
			must(b, g.Wait())
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
	b.Run("rivals-8", func(b *testing.B) {
		s := opened(b, mongotest.Database(b))
		add(b, s, "w", sync.Head{}, 1)
		l := answers{accepted: map[sync.Hash]bool{}}
		b.ResetTimer()
		var g errgroup.Group
		for range 8 {
			g.Go(func() error { return l.write(b.Context(), s, b.N) })
		}
		must(b, g.Wait())
		b.ReportMetric(float64(8*b.N)/b.Elapsed().Seconds(), "commits/s")
	})
}

// BenchmarkRead reads a journal of 20,000 commits, and outcomes in it.
func BenchmarkRead(b *testing.B) {
	const segments, together = 2500, 8
	s := opened(b, mongotest.Database(b))
	var all []*sync.Commit
	head := sync.Head{}
	for range segments {
		commits := follow(head, together)
		must(b, s.Append(b.Context(), "w", commits))
		head = headOf(commits[together-1])
		all = append(all, commits...)
	}
	b.Run("journal", func(b *testing.B) {
		for b.Loop() {
			if got := hashes(b, s, "w"); len(got) != len(all) {
				b.Fatal(len(got))
			}
		}
		b.ReportMetric(float64(b.N*len(all))/b.Elapsed().Seconds(), "commits/s")
	})
	b.Run("one", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			n := uint64(i*7919%len(all)) + 1
			must(b, s.Journal(b.Context(), "w", n, n, func(*sync.Commit) error { return nil }))
		}
	})
	b.Run("outcomes", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			refs, err := s.Outcomes(b.Context(), "w", ids(all[i*7919%len(all)], after(sync.Head{})))
			if err != nil || len(refs) != 1 {
				b.Fatal(refs, err)
			}
		}
	})
	b.Run("head", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Head(b.Context(), "w")
			must(b, err)
		}
	})
}
