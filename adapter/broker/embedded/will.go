package embedded

import (
	"bytes"
	"math"
	"time"

	"siomq/adapter/broker"
)

// pendingWill is a Will Message, section 3.1.2.5, from CONNECT until it is
// published or given up.
type pendingWill struct {
	m      message
	delay  time.Duration
	client *broker.Client
	timer  *time.Timer // while it is delayed
}

// neverExpires is the session expiry interval without end, section 3.1.2.11.2.
const neverExpires = math.MaxUint32

func newWill(p *connectPacket, origin string) *pendingWill {
	w := &pendingWill{m: message{
		topic:   string(p.willTopic),
		payload: bytes.Clone(p.will),
		qos:     p.willQoS,
		retain:  p.willRetain,
		props:   p.willProps.appendForwarded(nil),
		origin:  origin,
	}}
	w.delay = time.Duration(p.willProps.willDelay) * time.Second
	w.m.expires, w.m.expiry = p.willProps.has(propMessageExpiry), p.willProps.messageExpiry
	return w
}

// publishWill publishes w as its client would have: the access rules and the
// handlers see it.
func (b *Broker) publishWill(w *pendingWill) {
	p := newPublication()
	defer p.release()
	p.message = w.m
	if w.m.expires {
		p.setExpiry(w.m.expiry)
	}
	b.accept(p, w.client, goroutineID())
}

// leaveWill publishes the will of a connection that ended without DISCONNECT, or
// lets it wait for its delay, at most as long as the session lasts.
func (s *session) leaveWill(c *conn) {
	w := c.will
	if w == nil || c.orderly || !c.established {
		return
	}
	w.client = c.client
	delay := w.delay
	if c.sessionExpiry != neverExpires {
		delay = min(delay, time.Duration(c.sessionExpiry)*time.Second)
	}
	if delay == 0 {
		s.b.publishWill(w)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.will = w
	w.timer = time.AfterFunc(delay, func() {
		s.b.do(func() {
			if s.takeWill() == w {
				s.b.publishWill(w)
			}
		})
	})
}

// takeWill returns the delayed will, if any, which is then the caller's.
func (s *session) takeWill() *pendingWill {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.will
	s.will = nil
	if w != nil {
		w.timer.Stop()
	}
	return w
}
