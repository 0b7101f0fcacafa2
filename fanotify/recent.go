// SPDX-License-Identifier: Apache-2.0

package fanotify

// recent is a map that keeps the last entries put into it, and no more: memory
// stays bounded whatever happens on the watched filesystems.
type recent[V any] struct {
	m    map[string]slot[V]
	ring []string // the keys in the order they came
	next int      // of ring
}

type slot[V any] struct {
	value V
	at    int // in ring
}

func newRecent[V any](size int) *recent[V] {
	return &recent[V]{m: make(map[string]slot[V]), ring: make([]string, size)}
}

// get returns the value of key; the conversion of a byte slice for a look-up
// does not allocate.
func (r *recent[V]) get(key []byte) (V, bool) {
	s, ok := r.m[string(key)]
	return s.value, ok
}

func (r *recent[V]) has(key []byte) bool {
	_, ok := r.m[string(key)]
	return ok
}

// put sets the value of key and returns the value of the entry that had to go
// for it, if any.
func (r *recent[V]) put(key []byte, v V) (evicted V) {
	if s, ok := r.m[string(key)]; ok {
		r.m[r.ring[s.at]] = slot[V]{v, s.at}
		return evicted
	}
	if old, ok := r.m[r.ring[r.next]]; ok && old.at == r.next {
		delete(r.m, r.ring[r.next])
		evicted = old.value
	}
	k := string(key)
	r.ring[r.next] = k
	r.m[k] = slot[V]{v, r.next}
	r.next = (r.next + 1) % len(r.ring)
	return evicted
}

func (r *recent[V]) remove(key []byte) { delete(r.m, string(key)) }
