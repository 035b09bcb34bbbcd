package engine

import (
	"bytes"
	"errors"
	"time"

	"siomq/internal/ws"
)

// connReader is what a Socket is to its WebSocket.
type connReader Socket

// Message handles one message: bytes are a message of the user, text is a
// packet. Section "Packet encoding, WebSocket".
func (c *connReader) Message(op ws.Opcode, data []byte) error {
	s := (*Socket)(c)
	s.srv.stats.bytesIn.Add(uint64(len(data)))
	if s.state.Load() != stateOpen {
		return nil // read only to see the client's close frame
	}
	s.recv.Lock()
	defer s.release()
	if s.req.Protocol == revision3 {
		return s.packet3(data, op == ws.Binary)
	}
	if op == ws.Binary {
		s.deliver(data, true)
		return nil
	}
	return s.packet(data)
}

// Pong queues the answer to a ping of the WebSocket protocol. When the client
// does not read, it is dropped: a later one answers for it (RFC 6455 section
// 5.5.3).
func (c *connReader) Pong(frame []byte) {
	s := (*Socket)(c)
	s.mu.Lock()
	if s.state.Load() != stateOpen || s.blocked || s.queued > lagging {
		s.mu.Unlock()
		return
	}
	s.pushLocked(&Message{ws: bytes.Clone(frame), control: true})
	s.mu.Unlock()
	s.Flush()
}

// readConn reads the WebSocket of the session until it ends.
func (s *Socket) readConn(conn link) {
	err := conn.ReadLoop((*connReader)(s))
	for s.readOn(err) {
		err = conn.ReadLoop((*connReader)(s))
	}
	s.mu.Lock()
	s.readDone = true
	written := !s.writing && s.emptyLocked()
	s.mu.Unlock()
	var closed *ws.CloseError
	if w, ok := conn.(*ws.Conn); ok && written && errors.As(err, &closed) && closed.Local {
		// The client is still sending, and has to see the close frame.
		_ = w.Linger(min(violationTimeout, s.srv.opts.CloseTimeout))
	}
	s.settle()
}

// violationTimeout is how long what a client sends is thrown away after it has
// broken the rules of WebSocket.
const violationTimeout = 2 * time.Second

// readOn ends the session for the error that reading ended with, and tells
// whether there is something to read on for: the client's close frame.
func (s *Socket) readOn(err error) bool {
	var closed *ws.CloseError
	switch {
	case errors.Is(err, errPacket), errors.Is(err, errUTF8), errors.Is(err, errBase64), errors.Is(err, errHeartbeat), errors.Is(err, errClientClose):
		s.end(rejected(err))
		return true
	case errors.As(err, &closed):
		e := ending{reason: TransportClose}
		if closed.Local {
			e.reason, e.err = TransportError, err
		}
		if closed.Local && closed.Code == ws.CodeTooBig {
			s.srv.stats.tooLarge.Add(1)
		}
		e.frame = &Message{ws: ws.AppendCloseReply(nil, err), control: true}
		s.end(e)
	case errors.Is(err, errTooLarge): // on a stream
		s.srv.stats.tooLarge.Add(1)
		s.end(ending{reason: ParseError, err: err})
	case errors.Is(err, errStreamEnd):
		s.end(ending{reason: TransportClose})
	default:
		// The connection broke. For the reference implementation that is a close
		// like any other.
		s.end(ending{reason: TransportClose, err: err})
	}
	return false
}

// upgrade is the connection that would become the transport of a polling
// session. Section "Upgrade".
type upgrade struct {
	conn   link
	b64    bool // fixed: the client takes no bytes on it, revision 3
	probed bool // guarded by Socket.mu: the client has sent its probe
}

// Ends of an upgrade, for ReadLoop.
var (
	errUpgraded   = errors.New("upgraded")
	errNotUpgrade = errors.New("not the packet that an upgrade needs")
)

// beginUpgrade registers an upgrade, unless there is one, or was. Section
// "WebSocket": one connection for a session, not more.
func (s *Socket) beginUpgrade(up *upgrade) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := s.state.Load() != stateClosed && s.conn == nil && s.upgrade == nil
	if ok {
		s.upgrade = up
	}
	return ok
}

// runUpgrade reads conn until the session has moved to it, and then on. It owns
// conn until then.
func (s *Socket) runUpgrade(up *upgrade) {
	defer s.srv.wg.Done()
	setDeadline(up.conn, time.Now().Add(s.srv.opts.UpgradeTimeout))
	if err := up.conn.ReadLoop(&prober{s, up}); errors.Is(err, errUpgraded) {
		s.readConn(up.conn)
		return
	}
	// The session stays as it was, on polling.
	s.mu.Lock()
	if s.upgrade == up {
		s.upgrade = nil
	}
	s.mu.Unlock()
	refuseConn(up.conn)
}

// refuseConn closes a connection that belongs to no session.
func refuseConn(conn link) {
	if _, ok := conn.(*ws.Conn); ok {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write(closeFrame.ws)
	}
	_ = conn.Close()
}

// prober reads the packets of an upgrade.
type prober struct {
	s  *Socket
	up *upgrade
}

// Message takes "2probe", any number of times, and then "5".
func (p *prober) Message(op ws.Opcode, data []byte) error {
	switch {
	case op == ws.Text && string(data) == "2probe":
		return p.probe()
	case op == ws.Text && len(data) == 1 && data[0] == packetUpgrade:
		return p.upgrade()
	default:
		return errNotUpgrade
	}
}

// Pong answers a ping of the WebSocket protocol.
func (p *prober) Pong(frame []byte) { _, _ = p.up.conn.Write(frame) }

// probe answers the probe and lets go of the GET that is open, so that the
// client can stop polling.
func (p *prober) probe() error {
	if _, err := p.up.conn.Write(probeAnswer.ws); err != nil {
		return err
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.up.probed = true
	if p.s.poll != nil {
		p.s.poll.noop = true
		p.s.poll.signal()
	}
	return nil
}

// upgrade moves the session. What is queued goes out on the WebSocket, after
// everything that went out on polling: the client has finished its last GET
// before it sent the packet.
func (p *prober) upgrade() error {
	s := p.s
	setDeadline(p.up.conn, time.Time{})
	s.mu.Lock()
	if s.upgrade != p.up || !p.up.probed {
		s.mu.Unlock()
		return errNotUpgrade
	}
	s.upgrade, s.conn, s.b64 = nil, p.up.conn, p.up.b64
	if s.poll != nil { // against the rule above
		s.poll.stale = true
		s.poll.signal()
		s.poll = nil
	}
	if s.state.Load() == stateClosing {
		s.pushLocked(closeFrame)
	}
	s.mu.Unlock()
	s.srv.stats.upgraded.Add(1)
	s.Flush()
	return errUpgraded
}
