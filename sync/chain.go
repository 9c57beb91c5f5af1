package sync

// chain is a doubly linked list of numbers whose links live beside the things
// numbered: moving one to the end costs the same however long the list is.
type chain struct{ first, last uint32 }

// link is one thing's place in a chain.
type link struct{ prev, next uint32 }

var emptyChain = chain{none, none}

// push adds n at the end; at finds the link of a number.
func (c *chain) push(n uint32, at func(uint32) *link) {
	*at(n) = link{prev: c.last, next: none}
	if c.last == none {
		c.first = n
	} else {
		at(c.last).next = n
	}
	c.last = n
}

// remove takes n out.
func (c *chain) remove(n uint32, at func(uint32) *link) {
	l := *at(n)
	if l.prev == none {
		c.first = l.next
	} else {
		at(l.prev).next = l.next
	}
	if l.next == none {
		c.last = l.prev
	} else {
		at(l.next).prev = l.prev
	}
}
