package server

import (
	"strconv"

	"siomq/adapter"
	"siomq/rooms"
	"siomq/rooms/topic"
)

// maxCalls bounds the events of one socket that backends may still acknowledge.
const maxCalls = 1000

// tell publishes an event for backends, before the listeners here hear of it.
func (s *Socket) tell(e *Event) {
	w := s.nsp.watcher
	if w == nil {
		return
	}
	out := adapter.Emitted{ID: s.id, Event: e.packet.Event, Args: e.packet.Args}
	if e.packet.HasID {
		out.Ack = strconv.FormatUint(e.packet.ID, 10)
		out.Expect = func() bool { return s.expectAnswer(out.Ack, e) }
	}
	w.Emitted(&out)
}

// expectAnswer keeps e for the acknowledgement of a backend.
func (s *Socket) expectAnswer(ack string, e *Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != socketConnected || len(s.calls) >= maxCalls {
		return false
	}
	if s.calls == nil {
		s.calls = make(map[string]*Event)
	}
	s.calls[ack] = e
	return true
}

// answered forgets an event that has its acknowledgement.
func (s *Socket) answered(e *Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls != nil {
		delete(s.calls, strconv.FormatUint(e.packet.ID, 10))
	}
}

// Acknowledge implements adapter.Local.
func (n *Namespace) Acknowledge(id rooms.SocketID, ack string, a rooms.Args) bool {
	s, ok := n.index.Get(id)
	if !ok {
		return false
	}
	s.mu.Lock()
	e := s.calls[ack]
	s.mu.Unlock()
	return e != nil && e.Ack(a) == nil
}

// Control implements adapter.Local.
func (n *Namespace) Control(c *adapter.Control) {
	b := &BroadcastOperator{nsp: n, targets: []rooms.Target{c.Target}}
	switch c.Verb {
	case topic.VerbJoin:
		b.SocketsJoin(c.Rooms...)
	case topic.VerbLeave:
		b.SocketsLeave(c.Rooms...)
	case topic.VerbDisconnect:
		if c.Close {
			b.DisconnectSockets(CloseConnection)
		} else {
			b.DisconnectSockets()
		}
	}
}
