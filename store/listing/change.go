package listing

import "github.com/enroute-field/enroute/sync"

// Change is what is to be projected of one document.
type Change struct {
	Key     sync.Key
	Last    *sync.Version
	Rev     uint64   // of Last
	Numbers []uint64 // of the commits that changed it, least first
}

// Changes are those of the documents that consecutive commits changed, each as
// the last one left it, in the order of their first change.
func Changes(commits []*sync.Commit) []*Change {
	var changes []*Change
	at := map[sync.Key]*Change{}
	for _, c := range commits {
		for i := range c.Changes {
			v := &c.Changes[i]
			r := at[v.Key]
			if r == nil {
				r = &Change{Key: v.Key}
				at[v.Key] = r
				changes = append(changes, r)
			}
			r.Rev, r.Last = c.Number, v
			r.Numbers = append(r.Numbers, c.Number)
		}
	}
	return changes
}
