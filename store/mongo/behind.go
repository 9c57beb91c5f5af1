package mongo

// Behind is how many commits that this process knows of the lists do not show
// yet, of all workspaces together.
func (s *Store) Behind() uint64 { return s.projections.state.behind() }

func (p *progress) behind() (sum uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.of {
		if shown := t.upto[ofLists]; t.head > shown {
			sum += t.head - shown
		}
	}
	return sum
}
