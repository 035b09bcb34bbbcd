package topic

import (
	"math/bits"
	"slices"
)

// pmap is a node of an immutable hash map, a hash array mapped trie: each level
// of it spends five bits of the hash. with and without return a new map that
// shares what did not change, so readers need no lock. nil is the empty map.
//
// A node holds entries and children apart, and a child holds two entries at
// least, so equal maps have the same shape.
type pmap[K comparable, V any] struct {
	entryBits, childBits uint32 // which of the 32 places hold what
	entries              []entry[K, V]
	children             []*pmap[K, V]
}

type entry[K comparable, V any] struct {
	value V // first: a struct{} at the end would be padded
	hash  uint64
	key   K
}

const (
	pmapBits = 5  // of the hash for each level
	hashBits = 64 // below these, entries have equal hashes and are searched one by one
)

// place returns the bit of a hash in the node at shift.
func place(hash uint64, shift uint) uint32 { return 1 << (hash >> shift & 31) }

// index returns where the thing at bit lies in the slice that b describes.
func index(b, bit uint32) int { return bits.OnesCount32(b & (bit - 1)) }

// get returns the value of key. It does not allocate.
func (m *pmap[K, V]) get(hash uint64, key K) (value V, ok bool) {
	for shift := uint(0); m != nil; shift += pmapBits {
		if shift >= hashBits {
			if i := m.find(key); i >= 0 {
				return m.entries[i].value, true
			}
			return value, false
		}
		bit := place(hash, shift)
		if m.entryBits&bit != 0 {
			e := &m.entries[index(m.entryBits, bit)]
			if e.hash == hash && e.key == key {
				return e.value, true
			}
			return value, false
		}
		if m.childBits&bit == 0 {
			return value, false
		}
		m = m.children[index(m.childBits, bit)]
	}
	return value, false
}

// find searches the entries of a node of equal hashes.
func (m *pmap[K, V]) find(key K) int {
	return slices.IndexFunc(m.entries, func(e entry[K, V]) bool { return e.key == key })
}

// with returns m with e, which replaces the entry of the same key.
func (m *pmap[K, V]) with(e entry[K, V], shift uint) *pmap[K, V] {
	if m == nil {
		m = &pmap[K, V]{}
	}
	c := *m
	if shift >= hashBits {
		if i := m.find(e.key); i >= 0 {
			c.entries = replaced(m.entries, i, e)
		} else {
			c.entries = inserted(m.entries, len(m.entries), e)
		}
		return &c
	}
	bit := place(e.hash, shift)
	i, j := index(m.entryBits, bit), index(m.childBits, bit)
	switch {
	case m.childBits&bit != 0:
		c.children = replaced(m.children, j, m.children[j].with(e, shift+pmapBits))
	case m.entryBits&bit == 0:
		c.entryBits |= bit
		c.entries = inserted(m.entries, i, e)
	case m.entries[i].hash == e.hash && m.entries[i].key == e.key:
		c.entries = replaced(m.entries, i, e)
	default: // two entries in one place: both go one level down
		var child *pmap[K, V]
		child = child.with(m.entries[i], shift+pmapBits).with(e, shift+pmapBits)
		c.entryBits &^= bit
		c.entries = deleted(m.entries, i)
		c.childBits |= bit
		c.children = inserted(m.children, j, child)
	}
	return &c
}

// without returns m without key: m itself when key is not there, nil when
// nothing is left.
func (m *pmap[K, V]) without(hash uint64, key K, shift uint) *pmap[K, V] {
	if m == nil {
		return nil
	}
	if shift >= hashBits {
		if i := m.find(key); i >= 0 {
			return m.drop(i, 0)
		}
		return m
	}
	bit := place(hash, shift)
	if m.entryBits&bit != 0 {
		i := index(m.entryBits, bit)
		if e := &m.entries[i]; e.hash != hash || e.key != key {
			return m
		}
		return m.drop(i, bit)
	}
	if m.childBits&bit == 0 {
		return m
	}
	j := index(m.childBits, bit)
	child := m.children[j].without(hash, key, shift+pmapBits)
	if child == m.children[j] {
		return m
	}
	c := *m
	if len(child.entries) == 1 && len(child.children) == 0 {
		// The last entry of a child comes up, to keep the shape canonical.
		c.childBits &^= bit
		c.children = deleted(m.children, j)
		c.entries = inserted(m.entries, index(m.entryBits, bit), child.entries[0])
		c.entryBits |= bit
	} else {
		c.children = replaced(m.children, j, child)
	}
	return &c
}

// drop returns m without its entry i, which lies at bit.
func (m *pmap[K, V]) drop(i int, bit uint32) *pmap[K, V] {
	if len(m.entries) == 1 && len(m.children) == 0 {
		return nil
	}
	c := *m
	c.entryBits &^= bit
	c.entries = deleted(m.entries, i)
	return &c
}

// keys calls yield for each key until it returns false, and reports whether it
// never did.
func (m *pmap[K, V]) keys(yield func(K) bool) bool {
	if m == nil {
		return true
	}
	for i := range m.entries {
		if !yield(m.entries[i].key) {
			return false
		}
	}
	for _, c := range m.children {
		if !c.keys(yield) {
			return false
		}
	}
	return true
}

// The following copy: s is shared with older maps.

func inserted[E any](s []E, i int, e E) []E {
	c := make([]E, len(s)+1)
	copy(c, s[:i])
	c[i] = e
	copy(c[i+1:], s[i:])
	return c
}

func replaced[E any](s []E, i int, e E) []E {
	c := slices.Clone(s)
	c[i] = e
	return c
}

func deleted[E any](s []E, i int) []E {
	if len(s) == 1 {
		return nil
	}
	c := make([]E, len(s)-1)
	copy(c, s[:i])
	copy(c[i:], s[i+1:])
	return c
}
