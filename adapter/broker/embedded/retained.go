package embedded

import (
	"sync"
	"time"
)

// retained holds the retained messages, section 3.3.1.3. Its lock is held while
// a retained publish is stored and queued for its subscribers, and while a new
// subscriber is given what is there: so nobody receives an older value after
// a newer one.
type retained struct {
	mu   sync.Mutex
	tree tree[retainedLeaf] // of topic names
	n    int
	max  int
}

type retainedLeaf struct{ m *message }

// room reports whether p can be stored.
func (r *retained) room(p *publication) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(p.payload) == 0 || r.n < r.max || r.tree.get(p.topic) != nil
}

// storeLocked keeps p as the last value of its topic; an empty payload clears
// it [MQTT-3.3.1-6].
func (r *retained) storeLocked(p *publication) {
	if len(p.payload) == 0 {
		r.removeLocked(p.topic)
		return
	}
	leaf := r.tree.add(p.topic)
	if leaf.m == nil {
		r.n++
	}
	leaf.m = p.keep()
}

func (r *retained) removeLocked(topic string) {
	if r.tree.get(topic) != nil {
		r.tree.remove(topic)
		r.n--
	}
}

// matching returns the messages whose topics the filter matches, and forgets
// those that have expired.
func (r *retained) matching(filter string, now time.Time) []*message {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*message
	var expired []string
	r.tree.names(filter, func(leaf *retainedLeaf) {
		if _, ok := leaf.m.remaining(now); ok {
			found = append(found, leaf.m)
		} else {
			expired = append(expired, leaf.m.topic)
		}
	})
	for _, topic := range expired {
		r.removeLocked(topic)
	}
	return found
}

// retainedBatch is how many bytes of retained messages go out under the lock at
// most.
const retainedBatch = 256 << 10

// sendRetained gives a new subscriber what is retained, [MQTT-3.3.1-9]. It runs
// in the reading goroutine of c and waits while c does not read; a publish is
// never held up by that.
func (c *conn) sendRetained(sub *subscription) {
	r := &c.b.retained
	found := r.matching(sub.filter, time.Now())
	batch := min(retainedBatch, c.b.opts.MaxQueue/2)
	for len(found) > 0 && c.endReason() == nil {
		size := 0
		r.mu.Lock()
		for size < batch && len(found) > 0 {
			m := found[0]
			found = found[1:]
			// What changed meanwhile was delivered as a publish.
			if leaf := r.tree.get(m.topic); leaf == nil || leaf.m != m || !c.b.mayReceive(c.session, m.topic) {
				continue
			}
			size += m.size()
			c.session.giveRetained(c, sub, m)
		}
		r.mu.Unlock()
		if len(found) > 0 {
			c.waitForWrites()
		} else {
			c.w.flush()
		}
	}
}

// stallTime is how long a client may take to read a batch of retained messages.
const stallTime = 30 * time.Second

// waitForWrites waits until the queue is empty. A client that does not read
// that long loses its connection.
func (c *conn) waitForWrites() {
	deadline := func(t time.Time) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.end == nil { // else it is near, and stays
			_ = c.nc.SetWriteDeadline(t)
		}
	}
	deadline(time.Now().Add(stallTime))
	c.w.drain()
	deadline(time.Time{})
}

// giveRetained queues a retained message for a new subscription.
func (s *session) giveRetained(c *conn, sub *subscription, m *message) {
	o := outgoing{m: m, qos: min(sub.qos, m.qos), retain: true}
	if sub.id != 0 {
		o.ids = []uint32{sub.id}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return
	}
	if o.qos > 0 && (len(s.queue) > 0 || len(s.sent) >= c.window) {
		if s.queued+m.size() > s.b.opts.MaxQueue {
			s.b.stats.add(&s.b.stats.dropped, "session queue full")
			return
		}
		s.enqueueLocked(o)
		return
	}
	s.sendLocked(c, o, false)
}
