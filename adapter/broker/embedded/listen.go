package embedded

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/zap"

	"siomq/adapter/broker"
)

// ServeConn serves a connection that came by another way, such as a WebSocket.
// listener names that way in Client.Listener. It blocks until the connection
// has ended and closes nc. The error says why when the client is to blame.
//
// nc needs working deadlines; see [TryWriter] for what else is good to have. When
// it is a *tls.Conn, or has a method NetConn that leads to one, the handshake is made
// if need be and Client.Certificates is set.
func (b *Broker) ServeConn(nc net.Conn, listener string) error {
	c := b.newConn(nc, listener)
	b.mu.Lock()
	full := len(b.conns) >= b.opts.MaxConnections
	if b.closed || full {
		b.mu.Unlock()
		_ = nc.Close()
		if full {
			b.stats.add(&b.stats.closed, reasonConnections)
			b.log.Warn("mqtt connection refused", zap.String("reason", reasonConnections), zap.Stringer("addr", nc.RemoteAddr()))
			return errors.New(reasonConnections)
		}
		return broker.ErrClosed
	}
	b.conns[c] = struct{}{}
	b.work.Add(1)
	b.mu.Unlock()
	defer b.work.Done()
	b.stats.opened.Add(1)

	c.run(listener)
	b.leave(c)
	c.finish()
	b.mu.Lock()
	delete(b.conns, c)
	b.mu.Unlock()
	if why := c.endReason(); why != nil && why.code >= codeUnspecified {
		return why
	}
	return nil
}

// run gives the connection to mochi until it ends. A panic ends this connection
// and nothing else.
func (c *conn) run(listener string) {
	defer func() {
		if r := recover(); r != nil {
			c.b.log.Error("mqtt connection panicked", zap.Any("panic", r), zap.String("client", c.client.ID),
				zap.ByteString("stack", debug.Stack()))
			c.closeLater(&closeError{codeUnspecified, reasonPanic, fmt.Sprint(r)})
		}
	}()
	// mochi comes in after CONNECT, so who only connects costs neither its
	// client nor its goroutines.
	if why := c.handshake(); why != nil {
		c.closeLater(why)
		return
	}
	if c.next() != nil {
		return
	}
	err := c.b.mqtt.EstablishConnection(listener, c)
	switch {
	case err == nil || c.endReason() != nil:
	case errors.Is(err, net.ErrClosed): // an answer could not be written
		c.closeLater(&closeError{codeSuccess, reasonClosed, err.Error()})
	case errors.Is(err, packets.ErrPacketTooLarge): // nothing to say that the client would take
		c.closeLater(&closeError{codeSuccess, reasonSmallPackets, "its maximum packet size is below an answer"})
	default:
		c.closeLater(&closeError{codeSuccess, reasonMochi, err.Error()})
	}
}

// admit authenticates a CONNECT and takes its client identifier.
func (b *Broker) admit(c *conn, p *connectPacket) *closeError {
	wait := time.NewTimer(time.Until(c.deadline))
	defer wait.Stop()
	select {
	case <-b.ready:
	case <-b.closing:
		return &closeError{codeUnavailable, reasonShutdown, ""}
	case <-wait.C:
		return &closeError{codeUnavailable, reasonRefused, "not ready yet"}
	}
	if authenticate := b.accessNow().Authenticate; authenticate != nil {
		c.client.Password = p.password
		err := authenticate(c.client)
		c.client.Password = nil
		switch {
		case errors.Is(err, broker.ErrClientID):
			return &closeError{codeBadClientID, reasonRefused, err.Error()}
		case err != nil:
			return &closeError{codeBadCredentials, reasonRefused, err.Error()}
		}
	}
	return b.claim(c, wait.C)
}

// claim takes the session of c's client identifier. A connection that has it is
// ended first [MQTT-3.1.4-3], and has left it when claim returns: there is never
// more than one at once, so mochi need not take over.
func (b *Broker) claim(c *conn, timeout <-chan time.Time) *closeError {
	id := c.client.ID
	for {
		b.mu.Lock()
		s := b.sessions[id]
		if s == nil {
			s = &session{b: b, id: id}
			s.client.Store(c.client)
			b.sessions[id] = s
		}
		old := s.owner
		if old == nil {
			s.owner, c.session = c, s
			s.stopExpiry()
			b.mu.Unlock()
			return nil
		}
		b.mu.Unlock()
		old.closeLater(&closeError{codeTakenOver, reasonTakenOver, ""})
		select {
		case <-old.done:
		case <-b.closing:
			return &closeError{codeUnavailable, reasonShutdown, ""}
		case <-timeout:
			return &closeError{codeUnavailable, reasonRefused, "the earlier connection does not end"}
		}
	}
}

// leave gives the session back after mochi is done with the connection.
func (b *Broker) leave(c *conn) {
	defer close(c.done)
	s := c.session
	if s == nil {
		return
	}
	s.detach(c)
	if !b.isClosed() {
		b.guard(c, func() { s.leaveWill(c) })
	}
	if c.established {
		b.tell(broker.ClientEvent{Kind: broker.ClientDisconnected, Client: *c.client})
	}
	if c.sessionExpiry == 0 {
		b.endSession(s)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.owner = nil
	if c.sessionExpiry != neverExpires && !b.closed {
		s.startExpiry(time.Duration(c.sessionExpiry) * time.Second)
	}
}

// guard runs f, in which handlers are called, and survives their panics.
func (b *Broker) guard(c *conn, f func()) {
	defer func() {
		if r := recover(); r != nil {
			b.log.Error("mqtt will panicked", zap.Any("panic", r), zap.String("client", c.client.ID),
				zap.ByteString("stack", debug.Stack()))
		}
	}()
	f()
}

// endSession forgets a session. The caller owns it.
func (b *Broker) endSession(s *session) {
	if w := s.takeWill(); w != nil {
		b.publishWill(w)
	}
	if cl, ok := b.mqtt.Clients.Get(s.id); ok {
		b.mqtt.UnsubscribeClient(cl)
		b.mqtt.Clients.Delete(s.id)
	}
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.clear()
	b.mu.Lock()
	defer b.mu.Unlock()
	s.owner = nil
	delete(b.sessions, s.id)
}

// startExpiry and stopExpiry are called with Broker.mu held.
func (s *session) startExpiry(d time.Duration) {
	s.expiry = time.AfterFunc(d, func() { s.b.do(s.expire) })
}

func (s *session) stopExpiry() {
	if s.expiry != nil {
		s.expiry.Stop()
		s.expiry = nil
	}
}

// expire ends a session whose client did not come back [MQTT-4.1.0-2].
func (s *session) expire() {
	holder := &conn{done: make(chan struct{})} // who connects now waits
	defer close(holder.done)
	s.b.mu.Lock()
	if s.owner != nil || s.expiry == nil || s.b.sessions[s.id] != s {
		s.b.mu.Unlock()
		return
	}
	s.owner = holder
	s.b.mu.Unlock()
	s.b.endSession(s)
}

// restart empties the session when CONNACK says that there was none.
func (s *session) restart() {
	if w := s.takeWill(); w != nil { // the session that it belonged to ends
		s.b.publishWill(w)
	}
	s.clear()
}
