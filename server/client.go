package server

import (
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"siomq/rooms"
	"siomq/server/engine"
	"siomq/server/packet"
)

// client is one connection with its sockets, at most one in each namespace. It is the
// engine.Handler of the connection: Message and Close are called one at a time.
type client struct {
	server *Server
	conn   *engine.Socket

	decoder packet.MessageDecoder // used by Message alone

	mu      sync.Mutex
	closed  bool
	sockets []*Socket // few: searched one by one
	// deciding are namespaces that were asked for and may not exist.
	deciding []string
	// kicked are namespaces that the server disconnected: what the client sent before it
	// knew is dropped there, and no violation.
	kicked []string
	// idle ends a connection that asks for no namespace; nil once one was asked for.
	idle *time.Timer
}

// accept is called by the engine for each new connection.
func (srv *Server) accept(conn *engine.Socket) engine.Handler {
	c := &client{server: srv, conn: conn}
	c.decoder = c.codec().NewDecoder(srv.opts.Limits)
	if d := srv.opts.ConnectTimeout; d > 0 {
		c.mu.Lock()
		c.idle = time.AfterFunc(d, c.expire)
		c.mu.Unlock()
	}
	if c.revision4() {
		c.connect(&packet.Packet{Type: packet.Connect, Namespace: "/"}) // nobody asks for it
	}
	return c
}

// revision4 reports whether the client is a Socket.IO 2.x one, see packet.Revision4.
func (c *client) revision4() bool { return c.conn.Request().Protocol == 3 }

func (c *client) codec() packet.Codec {
	if c.revision4() {
		return c.server.codec4
	}
	return c.server.codec
}

// encode makes the message of a packet for this client alone.
func (c *client) encode(p *packet.Packet) (*engine.Message, error) { return encode(c.codec(), p) }

// expire ends a connection that has asked for no namespace.
func (c *client) expire() {
	c.mu.Lock()
	expired := c.idle != nil
	c.mu.Unlock()
	if expired {
		c.server.log.Debug("no namespace joined in time", zap.String("address", c.conn.Request().RemoteAddr))
		c.conn.Close(engine.ForcedClose)
	}
}

var errNamespaces = errors.New("more namespaces than Options.MaxNamespaces")

var errState = errors.New("packet does not fit the state of its namespace")

// Message implements engine.Handler.
func (c *client) Message(data []byte, binary bool) {
	p, err := c.decoder.Add(data, binary)
	switch {
	case err != nil:
		c.violation(err, data)
		return
	case p == nil:
		return // attachments are missing
	}
	s, kicked, deciding := c.lookup(p.Namespace)
	switch {
	case p.Type == packet.Connect && s == nil && !deciding:
		if c.full() {
			c.violation(errNamespaces, data)
			return
		}
		c.connect(p)
	case p.Type == packet.Connect || p.Type == packet.ConnectError:
		c.violation(errState, data)
	case s != nil && s.ready():
		s.receive(p)
	case kicked:
		// Sent before the client knew of the disconnect.
	default:
		c.violation(errState, data)
	}
}

// ready reports whether packets may come for s: CONNECT was answered, or it
// was closed by us a moment ago. A client may have read the answer, and written
// an event, before enter has let go of the lock: then the state has to be asked.
func (s *Socket) ready() bool {
	if s.connected.Load() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state != socketConnecting
}

// violation closes a connection whose client broke the protocol.
func (c *client) violation(err error, data []byte) {
	if len(data) > 80 {
		data = data[:80]
	}
	c.server.counters.violation(err)
	c.server.log.Info("protocol violation", zap.Error(err), zap.ByteString("packet", data),
		zap.String("address", c.conn.Request().RemoteAddr))
	c.conn.Close(engine.ParseError)
}

// full reports whether the connection is in as many namespaces as it may be.
func (c *client) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sockets)+len(c.deciding) >= c.server.opts.MaxNamespaces
}

func (c *client) lookup(namespace string) (s *Socket, kicked, deciding bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if s.nsp.name == namespace {
			return s, false, false
		}
	}
	return nil, slices.Contains(c.kicked, namespace), slices.Contains(c.deciding, namespace)
}

// connect answers a CONNECT packet (protocol, "Connection to a namespace"). A
// namespace that exists is entered at once; whether another may come into being is decided
// apart from the reading of the connection.
func (c *client) connect(p *packet.Packet) {
	if !c.begin(p.Namespace) {
		return
	}
	n, parents := c.server.pin(p.Namespace)
	switch {
	case n != nil:
		c.enter(n, p)
	case len(parents) == 0:
		c.refuse(p.Namespace)
	default:
		c.server.running.Go(func() {
			if n := c.server.acquire(p.Namespace, p.Data); n != nil {
				c.enter(n, p)
			} else {
				c.refuse(p.Namespace)
			}
		})
	}
}

// begin notes that the client asks for a namespace.
func (c *client) begin(namespace string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	if c.idle != nil {
		c.idle.Stop()
		c.idle = nil
	}
	c.deciding = append(c.deciding, namespace)
	c.kicked = without(c.kicked, namespace)
	return true
}

// enter gives the client a socket in n, whose first job is to be admitted.
func (c *client) enter(n *Namespace, p *packet.Packet) {
	s := newSocket(c, n, &Handshake{request: c.conn.Request(), Time: time.Now(), Auth: p.Data})
	if c.revision4() {
		s.id = c.socketID(n.name)
	}
	c.mu.Lock()
	c.deciding = without(c.deciding, n.name)
	if c.closed {
		c.mu.Unlock()
		c.server.release(n)
		return
	}
	c.sockets = append(slices.Clip(c.sockets), s)
	c.mu.Unlock()
	s.inbox.push(job{run: s.open}, s.handle, atOnce)
}

// socketID returns the id that a client of revision 4 takes for its own, without being told.
func (c *client) socketID(namespace string) rooms.SocketID {
	if namespace == "/" {
		return c.conn.ID()
	}
	return namespace + "#" + c.conn.ID()
}

// refuse tells the client that there is no such namespace.
func (c *client) refuse(namespace string) {
	c.mu.Lock()
	c.deciding = without(c.deciding, namespace)
	c.mu.Unlock()
	c.sendConnectError(namespace, errInvalidNamespace)
}

var errInvalidNamespace = errors.New("Invalid namespace") //nolint:staticcheck // the text that clients get, as Socket.IO has it

func (c *client) sendConnectError(namespace string, err error) {
	c.server.counters.socketsRefused.Add(1)
	payload := connectErrorPayload(err)
	if c.revision4() && !errors.Is(err, errInvalidNamespace) {
		payload = errorPayload4(err)
	}
	c.send(&packet.Packet{Type: packet.ConnectError, Namespace: namespace, Data: payload})
}

// send writes a packet that belongs to no socket, or to one that has ended.
func (c *client) send(p *packet.Packet) {
	m, err := c.encode(p)
	if err != nil {
		c.server.log.Error("packet not sent", zap.Stringer("type", p.Type), zap.String("namespace", p.Namespace), zap.Error(err))
		return
	}
	_ = c.conn.Send(m) // a connection that closes needs no answer
}

// departure says who ended a socket.
type departure bool

const (
	leftByClient   departure = false
	kickedByServer departure = true
)

// forget takes s out of the connection; the client may connect to its namespace again.
func (c *client) forget(s *Socket, d departure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sockets = without(c.sockets, s)
	if d == kickedByServer && len(c.kicked) < maxKicked {
		c.kicked = append(c.kicked, s.nsp.name)
	}
}

// maxKicked bounds what is remembered for one connection.
const maxKicked = 100

// take ends the connection for new sockets and returns those it has.
func (c *client) take() []*Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.idle != nil {
		c.idle.Stop()
		c.idle = nil
	}
	sockets := c.sockets
	c.sockets = nil
	return sockets
}

// disconnect ends all sockets of the connection, and then the connection.
func (c *client) disconnect() {
	c.mu.Lock()
	sockets := c.sockets
	c.mu.Unlock()
	for _, s := range sockets {
		s.disconnect()
	}
	c.conn.Close(engine.Reason(reasonForcedClose))
}

// Close implements engine.Handler.
func (c *client) Close(reason engine.Reason, err error) {
	if err != nil {
		c.server.log.Debug("connection closed", zap.String("reason", string(reason)), zap.Error(err),
			zap.String("address", c.conn.Request().RemoteAddr))
	}
	why := string(reason)
	if c.server.closing.Load() {
		why = reasonShuttingDown
	}
	for _, s := range c.take() {
		s.close(why, false)
	}
}
