package topic

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
)

// Tree is an index of subscriptions: pairs of a filter and a value, the value
// being whoever subscribed. It answers whose filters match a name, and whether
// any does, in a time that depends on the levels of the name and not on the number of
// filters, unless many filters differ in where they have a +.
//
// The zero Tree is empty and ready. All methods may be called by many goroutines at
// once. Match and Any take no lock, allocate nothing and never wait: they see
// the tree as it was when they began. Add and Remove wait for one another,
// and cost a few microseconds and kilobytes, whatever the size of the tree.
//
// V is compared with ==, so it must be fit to be a map key. A Tree must not be
// copied.
type Tree[V comparable] struct {
	root atomic.Pointer[node[V]] // immutable; nil when empty
	size atomic.Int64

	mu   sync.Mutex   // held by writers
	seed maphash.Seed // written once, before root is first set
	live bool         // guarded by mu: seed is set
}

// node is one level of the tree, immutable once it can be reached from root.
type node[V comparable] struct {
	level   string // the level that leads here
	literal *pmap[string, *node[V]]
	plus    *node[V]           // the child that stands for any level
	exact   *pmap[V, struct{}] // of the filters that end here
	hash    *pmap[V, struct{}] // of those that go on with #: they match here and beneath
}

func (n *node[V]) empty() bool {
	return n.literal == nil && n.plus == nil && n.exact == nil && n.hash == nil
}

// Add adds a subscription and reports whether it is new. f is a valid filter.
func (t *Tree[V]) Add(f Filter, v V) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.live {
		t.seed, t.live = maphash.MakeSeed(), true
	}
	root, changed := t.with(t.root.Load(), "", string(f), true, v)
	if changed {
		t.root.Store(root)
		t.size.Add(1)
	}
	return changed
}

// Remove removes a subscription and reports whether it was there.
func (t *Tree[V]) Remove(f Filter, v V) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.root.Load()
	if old == nil {
		return false
	}
	root := t.without(old, string(f), true, v)
	if root == old {
		return false
	}
	t.root.Store(root)
	t.size.Add(-1)
	return true
}

// Len returns the number of subscriptions.
func (t *Tree[V]) Len() int { return int(t.size.Load()) }

// Match calls yield for each subscription whose filter matches n, as
// [Filter.Match] says, until yield returns false. A value comes once for each of its
// filters that matches, in no particular order. yield may change the tree; this
// call does not see it.
func (t *Tree[V]) Match(n Name, yield func(V) bool) {
	root, s, more := t.start(n)
	if root != nil {
		t.match(root, s, more, yield)
	}
}

// Any reports whether Match would call yield.
func (t *Tree[V]) Any(n Name) bool {
	root, s, more := t.start(n)
	return root != nil && t.any(root, s, more)
}

// start returns the node where the walk for n begins, with what is left of n.
// Names that begin with $ are not for wildcards in the first level (MQTT 5
// section 4.7.2), so their first level is taken here.
func (t *Tree[V]) start(n Name) (_ *node[V], rest string, more bool) {
	root, s := t.root.Load(), string(n)
	if root == nil || s == "" || s[0] != '$' {
		return root, s, true
	}
	level, rest, more := cut(s)
	return t.child(root, level), rest, more
}

func (t *Tree[V]) match(n *node[V], s string, more bool, yield func(V) bool) bool {
	if !n.hash.keys(yield) {
		return false
	}
	if !more {
		return n.exact.keys(yield)
	}
	level, rest, more := cut(s)
	if n.plus != nil && !t.match(n.plus, rest, more, yield) {
		return false
	}
	c := t.child(n, level)
	return c == nil || t.match(c, rest, more, yield)
}

func (t *Tree[V]) any(n *node[V], s string, more bool) bool {
	if n.hash != nil {
		return true
	}
	if !more {
		return n.exact != nil
	}
	level, rest, more := cut(s)
	if n.plus != nil && t.any(n.plus, rest, more) {
		return true
	}
	c := t.child(n, level)
	return c != nil && t.any(c, rest, more)
}

// child returns the child for a literal level, or nil.
func (t *Tree[V]) child(n *node[V], level string) *node[V] {
	if n.literal == nil {
		return nil
	}
	c, _ := n.literal.get(maphash.String(t.seed, level), level)
	return c
}

// with returns n, which may be nil, with the subscription of v to what is left
// of a filter, and whether it is new. level is the level that leads to n. Only what
// lies on the way is copied.
func (t *Tree[V]) with(n *node[V], level, f string, more bool, v V) (*node[V], bool) {
	var c node[V]
	if n != nil {
		c = *n
	} else {
		c.level = strings.Clone(level) // the filter may be part of something large
	}
	if !more {
		var added bool
		c.exact, added = t.withValue(c.exact, v)
		return &c, added
	}
	next, rest, more := cut(f)
	var added bool
	switch {
	case next == "#" && !more:
		c.hash, added = t.withValue(c.hash, v)
	case next == "+":
		c.plus, added = t.with(c.plus, next, rest, more, v)
	default:
		var child *node[V]
		child, added = t.with(t.child(&c, next), next, rest, more, v)
		if added {
			c.literal = c.literal.with(entry[string, *node[V]]{
				key: child.level, hash: maphash.String(t.seed, next), value: child,
			}, 0)
		}
	}
	return &c, added
}

func (t *Tree[V]) withValue(m *pmap[V, struct{}], v V) (*pmap[V, struct{}], bool) {
	hash := maphash.Comparable(t.seed, v)
	if _, ok := m.get(hash, v); ok {
		return m, false
	}
	return m.with(entry[V, struct{}]{key: v, hash: hash}, 0), true
}

// without returns n without that subscription: n itself when it is not there,
// nil when nothing is left.
func (t *Tree[V]) without(n *node[V], f string, more bool, v V) *node[V] {
	c := *n
	next, rest, nextMore := cut(f)
	switch {
	case !more:
		c.exact = c.exact.without(maphash.Comparable(t.seed, v), v, 0)
		if c.exact == n.exact {
			return n
		}
	case next == "#" && !nextMore:
		c.hash = c.hash.without(maphash.Comparable(t.seed, v), v, 0)
		if c.hash == n.hash {
			return n
		}
	case next == "+":
		if n.plus == nil {
			return n
		}
		if c.plus = t.without(n.plus, rest, nextMore, v); c.plus == n.plus {
			return n
		}
	default:
		old := t.child(n, next)
		if old == nil {
			return n
		}
		child := t.without(old, rest, nextMore, v)
		if child == old {
			return n
		}
		c.literal = t.relink(n.literal, next, child)
	}
	if c.empty() {
		return nil
	}
	return &c
}

// relink returns m with child for level, or without the level when child is nil.
func (t *Tree[V]) relink(m *pmap[string, *node[V]], level string, child *node[V]) *pmap[string, *node[V]] {
	hash := maphash.String(t.seed, level)
	if child == nil {
		return m.without(hash, level, 0)
	}
	return m.with(entry[string, *node[V]]{key: child.level, hash: hash, value: child}, 0)
}
