package embedded

import "strings"

// tree finds the filters that match a topic name, by the rules of MQTT 5
// section 4.7: `+` is one level, `#` its parent and all below, and neither stands
// for a first level that begins with `$`. Each filter has one leaf of type L.
// It is not safe for concurrent use.
type tree[L any] struct{ root node[L] }

type node[L any] struct {
	parent   *node[L]
	level    string
	children map[string]*node[L] // by level, wildcards apart
	plus     *node[L]
	hash     *node[L]
	leaf     *L
}

// get returns the leaf of a filter, or nil.
func (t *tree[L]) get(filter string) *L {
	n := &t.root
	for rest, more := filter, true; more && n != nil; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		n = n.child(level)
	}
	if n == nil {
		return nil
	}
	return n.leaf
}

func (n *node[L]) child(level string) *node[L] {
	switch level {
	case "+":
		return n.plus
	case "#":
		return n.hash
	}
	return n.children[level]
}

// add returns the leaf of a filter, made if need be.
func (t *tree[L]) add(filter string) *L {
	n := &t.root
	for rest, more := filter, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		c := n.child(level)
		if c == nil {
			c = n.addChild(strings.Clone(level))
		}
		n = c
	}
	if n.leaf == nil {
		n.leaf = new(L)
	}
	return n.leaf
}

func (n *node[L]) addChild(level string) *node[L] {
	c := &node[L]{parent: n, level: level}
	switch level {
	case "+":
		n.plus = c
	case "#":
		n.hash = c
	default:
		if n.children == nil {
			n.children = make(map[string]*node[L], 1)
		}
		n.children[level] = c
	}
	return c
}

// remove drops the leaf of a filter, and the levels that only it needed.
func (t *tree[L]) remove(filter string) {
	n := &t.root
	for rest, more := filter, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		if n = n.child(level); n == nil {
			return
		}
	}
	n.leaf = nil
	for n.parent != nil && n.leaf == nil && n.plus == nil && n.hash == nil && len(n.children) == 0 {
		p := n.parent
		switch n.level {
		case "+":
			p.plus = nil
		case "#":
			p.hash = nil
		default:
			delete(p.children, n.level)
		}
		n = p
	}
}

// match calls f for the leaf of each filter that matches the topic name, until
// f returns false. It reports whether f never did.
func (t *tree[L]) match(name string, f func(*L) bool) bool {
	return t.root.match(name, len(name) > 0 && name[0] == '$', f)
}

func (n *node[L]) match(name string, dollar bool, f func(*L) bool) bool {
	if !dollar && n.hash != nil && n.hash.leaf != nil && !f(n.hash.leaf) {
		return false
	}
	level, rest, more := strings.Cut(name, "/")
	if c := n.children[level]; c != nil && !c.step(rest, more, f) {
		return false
	}
	if !dollar && n.plus != nil && !n.plus.step(rest, more, f) {
		return false
	}
	return true
}

// step goes on from n, which matched a level, with the rest of the name.
func (n *node[L]) step(rest string, more bool, f func(*L) bool) bool {
	if more {
		return n.match(rest, false, f)
	}
	if n.leaf != nil && !f(n.leaf) {
		return false
	}
	// a/# matches a too, section 4.7.1.2
	return n.hash == nil || n.hash.leaf == nil || f(n.hash.leaf)
}

// names calls f for the leaf of each topic name in t that the filter matches:
// the tree then holds names, none of them with wildcards.
func (t *tree[L]) names(filter string, f func(*L)) {
	t.root.names(filter, true, f)
}

func (n *node[L]) names(filter string, root bool, f func(*L)) {
	level, rest, more := strings.Cut(filter, "/")
	switch level {
	case "#":
		n.all(root, f)
	case "+":
		for name, c := range n.children {
			if !root || !strings.HasPrefix(name, "$") {
				c.named(rest, more, f)
			}
		}
	default:
		if c := n.children[level]; c != nil {
			c.named(rest, more, f)
		}
	}
}

func (n *node[L]) named(rest string, more bool, f func(*L)) {
	switch {
	case more && rest == "#":
		n.all(false, f) // with n itself, section 4.7.1.2
	case more:
		n.names(rest, false, f)
	case n.leaf != nil:
		f(n.leaf)
	}
}

// all calls f for n and everything below.
func (n *node[L]) all(root bool, f func(*L)) {
	if n.leaf != nil {
		f(n.leaf)
	}
	for name, c := range n.children {
		if !root || !strings.HasPrefix(name, "$") {
			c.all(false, f)
		}
	}
}
