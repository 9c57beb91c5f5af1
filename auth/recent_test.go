package auth

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// recent keeps exactly what a list of the last used keys keeps.
func TestRecentEqualsItsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		max := rapid.IntRange(1, 5).Draw(t, "max")
		r, values, order := newRecent[int, int](max), map[int]int{}, []int(nil)
		use := func(k int) {
			order = append(slices.DeleteFunc(order, func(o int) bool { return o == k }), k)
			if len(order) > max {
				delete(values, order[0])
				order = order[1:]
			}
		}
		for i := range rapid.IntRange(1, 50).Draw(t, "steps") {
			k := rapid.IntRange(0, 8).Draw(t, "key")
			switch rapid.SampledFrom([]string{"get", "put", "drop"}).Draw(t, "op") {
			case "put":
				r.put(k, i)
				values[k] = i
				use(k)
			case "drop":
				r.drop(k)
				delete(values, k)
				order = slices.DeleteFunc(order, func(o int) bool { return o == k })
			case "get":
				got, ok := r.get(k)
				want, there := values[k]
				if got != want || ok != there {
					t.Fatalf("get %d gives %d, %v; want %d, %v", k, got, ok, want, there)
				}
				if there {
					use(k)
				}
			}
		}
	})
}
