package auth

import "container/list"

// recent is a map that keeps the most recently used entries, at most max. It
// has no lock of its own.
type recent[K comparable, V any] struct {
	max   int
	order list.List // of *recentEntry[K, V], the latest in front
	byKey map[K]*list.Element
}

type recentEntry[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](max int) *recent[K, V] {
	return &recent[K, V]{max: max, byKey: map[K]*list.Element{}}
}

func (r *recent[K, V]) get(key K) (value V, ok bool) {
	e, ok := r.byKey[key]
	if !ok {
		return value, false
	}
	r.order.MoveToFront(e)
	return e.Value.(*recentEntry[K, V]).value, true
}

func (r *recent[K, V]) put(key K, value V) {
	if e, ok := r.byKey[key]; ok {
		e.Value.(*recentEntry[K, V]).value = value
		r.order.MoveToFront(e)
		return
	}
	if len(r.byKey) >= r.max {
		r.drop(r.order.Back().Value.(*recentEntry[K, V]).key)
	}
	r.byKey[key] = r.order.PushFront(&recentEntry[K, V]{key, value})
}

func (r *recent[K, V]) drop(key K) {
	if e, ok := r.byKey[key]; ok {
		r.order.Remove(e)
		delete(r.byKey, key)
	}
}
