package server

import (
	"runtime/debug"
	"slices"

	"go.uber.org/zap"

	"siomq/server/engine"
	"siomq/server/packet"
)

// Reasons of a disconnect beside those of package engine, in the words of the
// Socket.IO documentation (Server API, Socket, disconnect).
const (
	reasonClientDisconnect = "client namespace disconnect"
	reasonServerDisconnect = "server namespace disconnect"
	reasonShuttingDown     = "server shutting down"
	reasonForcedClose      = "forced server close"
)

// open is the first job of a socket: middleware, then CONNECT to the client, then the
// connection listeners. Events wait in the inbox meanwhile, so none is missed.
func (s *Socket) open() {
	var past *session
	var seen uint64
	if s.nsp.memory != nil {
		var pid string
		if pid, past, seen = s.nsp.memory.claim(s.handshake.Auth); past != nil {
			s.resume(pid, past)
		} else {
			s.privateID = s.nsp.server.newSocketID()
		}
	}
	if err := s.admitPrincipal(); err != nil {
		s.refuse(err)
		return
	}
	if past == nil || s.nsp.memory.opts.RunMiddleware {
		if err := s.nsp.admit(s); err != nil {
			s.refuse(err)
			return
		}
	}
	if !s.enter(past, seen) {
		return
	}
	for _, fn := range s.nsp.connectionListeners() {
		fn(s)
	}
}

// resume gives the socket back what its client had.
func (s *Socket) resume(pid string, past *session) {
	s.id, s.privateID, s.startOffset, s.recovered = past.id, pid, past.start, true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.early = slices.Clone(past.rooms)
	s.data = past.data
}

// enter makes the socket a member of the namespace and tells the client, in this order for
// everybody else: CONNECT, and what a client that comes back has missed, are queued before
// any broadcast can reach the socket.
func (s *Socket) enter(past *session, seen uint64) bool {
	m := s.nsp.memory
	if m != nil {
		m.mu.Lock()
	}
	s.mu.Lock()
	ok := s.state == socketConnecting && s.enterLocked(past, seen) // else the client left while the middleware ran
	early := s.early
	s.early = nil
	s.mu.Unlock()
	if m != nil {
		m.mu.Unlock()
	}
	if ok {
		s.client.conn.Flush()
		s.nsp.index.Tell()
		for _, name := range early {
			if isTopicRoom(name) {
				if err := s.Join(name); err != nil {
					s.nsp.server.log.Info("topic room not joined", zap.String("socket", s.id), zap.Error(err))
				}
			}
		}
		if s.nsp.watcher != nil && past == nil {
			s.nsp.watcher.Joined(s.id, s.Rooms(), true)
		}
	}
	return ok
}

// enterLocked is called with Socket.mu held, and recovery.mu where there is one.
func (s *Socket) enterLocked(past *session, seen uint64) bool {
	var missed []*engine.Message
	if past != nil {
		var complete bool
		if missed, complete = s.nsp.memory.missedLocked(past, seen); !complete {
			s.client.conn.Close(engine.TransportClose) // the log ran over while the middleware ran: the client starts anew
			return false
		}
	}
	m, err := s.client.encode(&packet.Packet{
		Type: packet.Connect, Namespace: s.nsp.name, Data: connectPayload(s.id, s.privateID),
	})
	if err != nil || s.client.conn.Enqueue(m) != nil {
		return false // the connection is closing, and will close this socket
	}
	for _, m := range missed {
		if s.client.conn.Enqueue(m) != nil {
			return false
		}
	}
	if !s.nsp.index.Add(s.id, s) {
		s.nsp.server.log.Error("socket id in use", zap.String("socket", s.id), zap.String("namespace", s.nsp.name))
		s.client.conn.Close(engine.ForcedClose)
		return false
	}
	s.nsp.index.Join(s.id, slices.DeleteFunc(slices.Clone(s.early), isTopicRoom)...)
	if mem := s.nsp.memory; mem != nil {
		mem.here[s.privateID] = s
		if past == nil {
			s.startOffset = mem.last
		}
	}
	s.state = socketConnected
	s.connected.Store(true)
	return true
}

func connectPayload(id, privateID string) []byte {
	b := make([]byte, 0, len(id)+len(privateID)+len(`{"sid":"","pid":""}`))
	b = append(b, `{"sid":"`...)
	b = append(b, id...) // base64url, nothing to escape
	if privateID != "" {
		b = append(b, `","pid":"`...)
		b = append(b, privateID...)
	}
	return append(b, `"}`...)
}

// refuse answers CONNECT with CONNECT_ERROR. The connection stays: the client
// may ask for another namespace, or for this one again.
func (s *Socket) refuse(err error) {
	s.client.forget(s, leftByClient) // before the answer, upon which it may ask at once
	s.client.sendConnectError(s.nsp.name, err)
	s.close("", true)
}

// receive takes a packet from the reading side of the connection. Acknowledgements
// do not wait behind events, so that a listener can wait for one.
func (s *Socket) receive(p *packet.Packet) {
	switch p.Type {
	case packet.Event:
		s.inbox.push(job{event: &Event{socket: s, packet: p}}, s.handle, mayWait)
	case packet.Ack:
		if !p.HasID {
			return
		}
		if fn := s.takeAck(p.ID); fn != nil {
			fn(p.Args, nil)
		} else {
			s.nsp.server.log.Debug("acknowledgement that nobody waits for",
				zap.String("socket", s.id), zap.Uint64("id", p.ID))
		}
	case packet.Disconnect:
		s.client.forget(s, leftByClient)
		s.close(reasonClientDisconnect, false)
	}
}

// close ends the socket, once: no member, no acknowledgement to wait for, a
// context that is done. Its listeners hear of it after the events that came before, or at
// once with discard. A socket that was never connected just goes.
func (s *Socket) close(reason string, discard bool) { s.closeWith(reason, discard, nil) }

// closeWith is close with something to say to the client, once no broadcast
// finds the socket any more. goodbye is called only if the socket was connected.
func (s *Socket) closeWith(reason string, discard bool, goodbye func()) {
	s.mu.Lock()
	before := s.state
	s.state = socketClosed
	if before == socketClosed {
		s.mu.Unlock()
		return
	}
	s.connected.Store(false)
	if discard {
		s.muted.Store(true)
	}
	acks := s.acks
	s.acks, s.calls = nil, nil
	if before == socketConnected {
		s.lastRooms = s.nsp.index.Remove(s.id)
	}
	left, data := s.lastRooms, s.data
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()

	if goodbye != nil && before == socketConnected {
		goodbye()
	}
	s.nsp.topics.left(left)
	s.nsp.index.Tell()
	for _, fn := range acks {
		fn(Args{}, ErrDisconnected)
	}
	if s.nsp.memory != nil && before == socketConnected {
		s.nsp.memory.keep(s, reason, left, data)
	}
	s.nsp.server.release(s.nsp)
	last := job{run: func() {
		if before == socketConnected {
			s.runDisconnect(reason)
		}
	}}
	if n := s.inbox.end(last, s.handle, discard); n > 0 {
		s.nsp.server.counters.eventsDropped.Add(uint64(n))
		s.nsp.server.log.Debug("events dropped by a disconnect", zap.String("socket", s.id), zap.Int("events", n))
	}
}

func (s *Socket) runDisconnect(reason string) {
	s.mu.Lock()
	leaving, gone := s.leaving, s.gone
	s.mu.Unlock()
	for _, fn := range leaving {
		s.contain(func() { fn(reason) })
	}
	s.mu.Lock()
	s.lastRooms = nil
	s.mu.Unlock()
	for _, fn := range gone {
		s.contain(func() { fn(reason) })
	}
}

// handle runs one job. It is called by the inbox, one at a time.
func (s *Socket) handle(j job) {
	if j.run != nil {
		s.contain(j.run)
		return
	}
	if s.muted.Load() {
		return
	}
	s.contain(func() { s.dispatch(j.event) })
}

func (s *Socket) dispatch(e *Event) {
	if s.interceptor.Load() {
		s.mu.Lock()
		middleware := s.middleware
		s.mu.Unlock()
		for _, fn := range middleware {
			if err := fn(e); err != nil {
				s.nsp.server.log.Debug("event refused by middleware",
					zap.String("socket", s.id), zap.String("event", e.Name()), zap.Error(err))
				s.fail(err)
				return
			}
		}
	}
	if err := s.mayEmit(toServer, e.Name()); err != nil {
		s.nsp.server.log.Info("event not allowed", zap.String("socket", s.id), zap.String("event", e.Name()))
		s.fail(err)
		if e.WantsAck() {
			_ = e.Ack(map[string]string{"error": ErrNotAllowed.Error()}) // the client may be gone, then nobody waits
		}
		return
	}
	s.tell(e)
	s.mu.Lock()
	anyEvent, byName := s.listeners.any, s.listeners.byEvent[e.Name()]
	s.mu.Unlock()
	for _, l := range anyEvent {
		l.fn(e)
	}
	for _, l := range byName {
		l.fn(e)
	}
}

// fail tells the OnError functions.
func (s *Socket) fail(err error) {
	s.mu.Lock()
	failed := s.failed
	s.mu.Unlock()
	for _, fn := range failed {
		fn(err)
	}
}

// contain runs fn; a panic ends the connection of this socket and nothing else.
func (s *Socket) contain(fn func()) {
	defer func() {
		if r := recover(); r != nil {
			s.nsp.server.counters.panics.Add(1)
			s.nsp.server.log.Error("panic in a handler", zap.Any("panic", r), zap.String("socket", s.id),
				zap.String("namespace", s.nsp.name), zap.ByteString("stack", debug.Stack()))
			s.muted.Store(true)
			s.client.conn.Close(engine.ForcedClose)
		}
	}()
	fn()
}
