package embedded

import (
	"sync"
	"sync/atomic"
)

const sharePrefix = "$share/"

// subscription is one filter of one session.
type subscription struct {
	// fixed
	session   *session
	name      string // as subscribed, with $share/{group}/
	filter    string // without
	group     string // of a shared subscription
	qos       byte
	noLocal   bool
	asPub     bool // Retain As Published
	retained  byte // Retain Handling
	id        uint32
	immediate bool // new: Retain Handling 1 sends retained messages

	// guarded by index.mu
	at int // in the slice that holds it
}

// subscribers is the leaf of a filter.
type subscribers struct {
	subs   []*subscription
	groups []*shareGroup
}

// shareGroup is a group of shared subscriptions with one filter: each message
// goes to one of them.
type shareGroup struct {
	name string
	subs []*subscription
	turn atomic.Uint32
}

// target is one receiver of one publication.
type target struct {
	session *session
	qos     byte
	asPub   bool
	id      uint32   // subscription identifier, 0: none
	ids     []uint32 // all of them, when there are several
}

// index knows who is subscribed to what. Its methods may be called by many
// goroutines at once.
type index struct {
	mu   sync.RWMutex
	tree tree[subscribers]

	size atomic.Int64 // subscriptions
}

func insert(list []*subscription, s *subscription) []*subscription {
	s.at = len(list)
	return append(list, s)
}

func extract(list []*subscription, s *subscription) []*subscription {
	last := len(list) - 1
	list[s.at] = list[last]
	list[s.at].at = s.at
	list[last] = nil
	return list[:last]
}

// replace takes old out, if there is one, and puts s in, if there is one.
func (x *index) replace(old, s *subscription) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if old != nil {
		x.removeLocked(old)
	}
	if s != nil {
		x.addLocked(s)
	}
}

func (x *index) addLocked(s *subscription) {
	x.size.Add(1)
	leaf := x.tree.add(s.filter)
	if s.group == "" {
		leaf.subs = insert(leaf.subs, s)
		return
	}
	for _, g := range leaf.groups {
		if g.name == s.group {
			g.subs = insert(g.subs, s)
			return
		}
	}
	leaf.groups = append(leaf.groups, &shareGroup{name: s.group, subs: insert(nil, s)})
}

func (x *index) removeLocked(s *subscription) {
	x.size.Add(-1)
	leaf := x.tree.get(s.filter)
	if s.group == "" {
		leaf.subs = extract(leaf.subs, s)
	} else {
		for i, g := range leaf.groups {
			if g.name != s.group {
				continue
			}
			if g.subs = extract(g.subs, s); len(g.subs) == 0 {
				leaf.groups = append(leaf.groups[:i:i], leaf.groups[i+1:]...)
			}
			break
		}
	}
	if len(leaf.subs) == 0 && len(leaf.groups) == 0 {
		x.tree.remove(s.filter)
	}
}

// wants reports whether anybody's filter matches.
func (x *index) wants(topic string) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return !x.tree.match(topic, func(*subscribers) bool { return false })
}

// match fills p.targets with who receives p. A session with several matching
// filters receives it once, at the highest QoS and with each identifier, section
// 3.3.4.
func (x *index) match(p *publication) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	leaves := 0
	x.tree.match(p.topic, func(leaf *subscribers) bool {
		if len(leaf.subs) > 0 {
			leaves++
			p.collect(leaf.subs, leaves)
		}
		return true
	})
	x.tree.match(p.topic, func(leaf *subscribers) bool {
		for _, g := range leaf.groups {
			if s := g.choose(); s != nil {
				p.targets = append(p.targets, target{s.session, s.qos, s.asPub, s.id, nil})
			}
		}
		return true
	})
}

// collect adds the subscriptions of one filter, the leaves-th that matches.
func (p *publication) collect(subs []*subscription, leaves int) {
	if leaves == 2 { // from now on a session may come twice
		if p.seen == nil {
			p.seen = make(map[*session]int)
		}
		for i := range p.targets {
			p.seen[p.targets[i].session] = i
		}
	}
	for _, s := range subs {
		if s.noLocal && p.origin != "" && s.session.id == p.origin { // [MQTT-3.8.3-3]
			continue
		}
		if leaves > 1 {
			if i, ok := p.seen[s.session]; ok {
				p.targets[i].merge(s)
				continue
			}
			p.seen[s.session] = len(p.targets)
		}
		p.targets = append(p.targets, target{s.session, s.qos, s.asPub, s.id, nil})
	}
}

func (t *target) merge(s *subscription) {
	t.qos = max(t.qos, s.qos)
	t.asPub = t.asPub || s.asPub
	switch {
	case s.id == 0:
	case t.id == 0:
		t.id = s.id
	case t.ids == nil:
		t.ids = []uint32{t.id, s.id}
	default:
		t.ids = append(t.ids, s.id)
	}
}

// choose picks the member whose turn it is among those that are connected; when
// none is, one whose session waits.
func (g *shareGroup) choose() *subscription {
	n := uint32(len(g.subs))
	if n == 0 {
		return nil
	}
	turn := g.turn.Add(1)
	for i := range n {
		if s := g.subs[(turn+i)%n]; s.session.online.Load() {
			return s
		}
	}
	return g.subs[turn%n]
}
