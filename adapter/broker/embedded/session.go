package embedded

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"siomq/adapter/broker"
)

// session is the state of one client identifier, section 4.1: it outlives
// connections.
type session struct {
	// fixed
	b  *Broker
	id string

	client atomic.Pointer[broker.Client] // of the last connection
	online atomic.Bool

	// guarded by Broker.mu
	owner *conn // the connection that has the identifier

	mu     sync.Mutex
	conn   *conn                    // receives now
	subs   map[string]*subscription // by name
	ended  bool
	seq    uint32              // messages that got an identifier
	lastID uint16              // the last identifier given
	sent   []outgoing          // with identifier, not acknowledged, in order
	queue  []outgoing          // behind them
	queued int                 // size of queue in bytes
	got    map[uint16]struct{} // QoS 2 received and not yet released
	will   *pendingWill
	expiry *time.Timer
}

// outgoing is a QoS 1 or 2 message on its way to one client.
type outgoing struct {
	m        *message
	ids      []uint32
	seq      uint32
	id       uint16 // 0: not sent yet
	qos      byte
	retain   bool
	released bool // PUBREC came
}

// deliver queues p for the session, and returns the connection to flush.
func (s *session) deliver(p *publication, t *target) *conn {
	qos := min(t.qos, p.qos)
	retain := p.retain && t.asPub
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conn
	if c == nil && (qos == 0 || s.ended) {
		return nil
	}
	if qos > 0 && (c == nil || len(s.queue) > 0 || len(s.sent) >= c.window) {
		s.enqueueLocked(outgoing{m: p.keep(), ids: t.allIDs(), qos: qos, retain: retain})
		return nil
	}
	if t.id != 0 || c.aliasMax > 0 || !c.fits(p, qos) {
		o := outgoing{m: &p.message, ids: t.allIDs(), qos: qos, retain: retain}
		if qos > 0 {
			o.m = p.keep()
		}
		s.sendLocked(c, o, false)
		return c
	}
	s.sendFrameLocked(c, p, qos, retain)
	return c
}

func (t *target) allIDs() []uint32 {
	if t.ids == nil && t.id != 0 {
		return []uint32{t.id}
	}
	return t.ids
}

// fits reports whether the shared frame of p may go out as it is.
func (c *conn) fits(p *publication, qos byte) bool {
	if c.maxPacket == 0 {
		return true
	}
	f, _ := p.frame(c.version, qos)
	return len(f) <= c.maxPacket
}

// sendFrameLocked sends the frame that all receivers share.
func (s *session) sendFrameLocked(c *conn, p *publication, qos byte, retain bool) {
	frame, idAt := p.frame(c.version, qos)
	first := byte(typePublish<<4) | qos<<1
	if retain {
		first |= 1
	}
	if qos == 0 {
		c.send(func(dst []byte) []byte {
			n := len(dst)
			dst = append(dst, frame...)
			dst[n] = first
			return dst
		})
		return
	}
	o := outgoing{m: p.keep(), qos: qos, retain: retain}
	s.numberLocked(&o)
	s.sent = append(s.sent, o)
	c.send(func(dst []byte) []byte {
		n := len(dst)
		dst = append(dst, frame...)
		dst[n] = first
		dst[n+idAt], dst[n+idAt+1] = byte(o.id>>8), byte(o.id)
		return dst
	})
}

// numberLocked gives o the next free packet identifier.
func (s *session) numberLocked(o *outgoing) {
	s.seq++
	o.seq = s.seq
	for {
		s.lastID++
		if s.lastID == 0 {
			s.lastID = 1
		}
		// Identifiers go round in the order of sent, so one can only be taken
		// when the oldest is a whole round behind.
		if len(s.sent)+len(s.queue) == 0 || !s.takenLocked(s.lastID) {
			break
		}
	}
	o.id = s.lastID
}

func (s *session) takenLocked(id uint16) bool {
	const round = 60_000
	if len(s.sent) > 0 && s.seq-s.sent[0].seq > round {
		for i := range s.sent {
			if s.sent[i].id == id {
				return true
			}
		}
	}
	// What was sent on an earlier connection and waits again stands first.
	for i := range s.queue {
		if s.queue[i].id == 0 {
			break
		}
		if s.queue[i].id == id {
			return true
		}
	}
	return false
}

// enqueueLocked lets o wait behind what was sent, within the bound.
func (s *session) enqueueLocked(o outgoing) {
	if s.queued+o.m.size() > s.b.opts.MaxQueue {
		s.b.stats.add(&s.b.stats.dropped, "session queue full")
		if s.conn != nil {
			s.conn.closeLater(&closeError{codeQuotaExceeded, reasonOverflow, "messages wait for acknowledgement"})
		}
		return
	}
	s.queued += o.m.size()
	s.queue = append(s.queue, o)
}

// sendLocked writes o for one client: with identifiers of its subscriptions, the
// remaining expiry, or as a repetition. It reports false when o is not to be
// sent any more.
func (s *session) sendLocked(c *conn, o outgoing, dup bool) bool {
	if o.released {
		s.sent = append(s.sent, o)
		c.send(func(dst []byte) []byte { return appendAck(dst, typePubrel, c.version, o.id, codeSuccess) })
		return true
	}
	left, ok := o.m.remaining(time.Now())
	if !ok {
		s.b.stats.add(&s.b.stats.dropped, "expired")
		return false
	}
	first := byte(typePublish<<4) | o.qos<<1
	if o.retain {
		first |= 1
	}
	if dup {
		first |= 8 // [MQTT-3.3.1-1]
	}
	alias := c.aliasOf(o.m.topic)
	if o.qos == 2 {
		alias.known = false // MQTT.js 5 keeps such a packet until PUBREL and then knows no topic
	}
	if c.maxPacket > 0 {
		n := len(o.m.appendPublish(nil, c.version, first, o.id, o.ids, left, alias))
		if n > c.maxPacket { // [MQTT-3.1.2-24], -25: as if it was sent
			s.b.stats.add(&s.b.stats.dropped, "over the client's packet size")
			return false
		}
	}
	if o.qos > 0 {
		if o.id == 0 {
			s.numberLocked(&o)
		}
		s.sent = append(s.sent, o)
	}
	c.giveAlias(o.m.topic, alias)
	return c.send(func(dst []byte) []byte {
		return o.m.appendPublish(dst, c.version, first, o.id, o.ids, left, alias)
	})
}

// pumpLocked sends what waits as far as the client's receive maximum allows.
func (s *session) pumpLocked() {
	c := s.conn
	n := 0
	for n < len(s.queue) && c != nil && len(s.sent) < c.window {
		o := s.queue[n]
		n++
		s.queued -= o.m.size()
		s.sendLocked(c, o, o.id != 0)
	}
	if n == len(s.queue) {
		s.queue = nil
	} else if n > 0 {
		clear(s.queue[:n])
		s.queue = s.queue[n:]
	}
}

// acknowledge takes PUBACK, PUBREC and PUBCOMP of the client, which flushes.
func (s *session) acknowledge(c *conn, kind byte, ack ackPacket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.sent, func(o outgoing) bool { return o.id == ack.id })
	if i < 0 {
		if kind == typePubrec { // section 4.3.3: the client waits for PUBREL
			c.send(func(dst []byte) []byte {
				return appendAck(dst, typePubrel, c.version, ack.id, codeIDNotFound)
			})
		}
		return
	}
	o := &s.sent[i]
	switch {
	case kind == typePuback && o.qos == 1, kind == typePubcomp && o.released,
		kind == typePubrec && o.qos == 2 && ack.code >= codeUnspecified:
		s.doneLocked(i)
	case kind == typePubrec && o.qos == 2:
		o.released = true
		c.send(func(dst []byte) []byte {
			return appendAck(dst, typePubrel, c.version, ack.id, codeSuccess)
		})
		return
	default:
		return
	}
	s.pumpLocked()
}

// doneLocked forgets what was sent; mostly it is the oldest.
func (s *session) doneLocked(i int) {
	switch {
	case len(s.sent) == 1:
		s.sent = nil
	case i == 0:
		s.sent[0] = outgoing{}
		s.sent = s.sent[1:]
	default:
		s.sent = slices.Delete(s.sent, i, i+1)
	}
}

// attach makes c the receiver. What an earlier connection left unacknowledged
// goes first, in the order of the first time [MQTT-4.6.0-1]; then what came
// meanwhile.
func (s *session) attach(c *conn) {
	s.mu.Lock()
	for i := range s.sent {
		s.queued += s.sent[i].m.size()
	}
	s.queue = append(s.sent, s.queue...)
	s.sent = nil
	s.conn = c
	s.online.Store(true)
	s.pumpLocked()
	s.mu.Unlock()
}

// detach ends the delivery to c.
func (s *session) detach(c *conn) {
	s.mu.Lock()
	if s.conn == c {
		s.conn = nil
		s.online.Store(false)
	}
	s.mu.Unlock()
}

// received notes the identifier of a QoS 2 publish. It reports false for a
// repetition, which is not delivered again [MQTT-4.3.3-10].
func (s *session) received(id uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.got[id]; again {
		return false
	}
	if s.got == nil {
		s.got = make(map[uint16]struct{})
	}
	s.got[id] = struct{}{}
	return true
}

// open returns how many QoS 2 publishes were not released, and whether id is one.
func (s *session) open(id uint16) (n int, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, again = s.got[id]
	return len(s.got), again
}

// release forgets the identifier of a QoS 2 publish, and reports whether it was
// known.
func (s *session) release(id uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.got[id]
	if delete(s.got, id); len(s.got) == 0 {
		s.got = nil
	}
	return ok
}

// filters returns what the session is subscribed to, without $share/{group}/.
func (s *session) filters() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]string, 0, len(s.subs))
	for _, sub := range s.subs {
		list = append(list, sub.filter)
	}
	return list
}

// subscribe puts sub in place of one with the same name, and reports whether
// there was none.
func (s *session) subscribe(sub *subscription) (isNew bool) {
	s.mu.Lock()
	old := s.subs[sub.name]
	if s.subs == nil {
		s.subs = make(map[string]*subscription, 1)
	}
	s.subs[sub.name] = sub
	s.mu.Unlock()
	s.b.index.replace(old, sub)
	return old == nil
}

// unsubscribe returns the filter, and whether there was a subscription.
func (s *session) unsubscribe(name string) (filter string, ok bool) {
	s.mu.Lock()
	old := s.subs[name]
	delete(s.subs, name)
	s.mu.Unlock()
	if old == nil {
		return "", false
	}
	s.b.index.replace(old, nil)
	return old.filter, true
}

// clear empties the session: a clean start, or its end.
func (s *session) clear() {
	s.mu.Lock()
	subs := s.subs
	s.subs, s.sent, s.queue, s.queued, s.got = nil, nil, nil, 0, nil
	s.mu.Unlock()
	for _, sub := range subs {
		s.b.index.replace(sub, nil)
	}
}
