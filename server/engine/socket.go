package engine

import (
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Handler is the receiving end of a Socket.
type Handler interface {
	// Message is given each message of the client, in order, one at a time. data
	// is valid during the call only. It may block: see Reading in the package
	// documentation. It must not call Server.Close.
	Message(data []byte, binary bool)
	// Close is called once, after the last Message has returned, when the
	// session is over. err is the cause where there is one, else nil.
	Close(reason Reason, err error)
}

// state of a session. It only ever grows.
type state = uint32

const (
	stateOpen    state = iota
	stateClosing       // Close was called, the queue is being delivered
	stateClosed        // over; a WebSocket may still wait for the client's close frame
)

// inlineQueue is how many messages wait without an allocation.
const inlineQueue = 4

// Socket is one session.
type Socket struct {
	// Fixed after the handshake.
	srv     *Server
	id      string
	req     Request
	handler Handler // nil when the session was not accepted

	// recv is held by whoever calls handler, so that calls come one at a time. It
	// is no lock on data: Message may block and may call every method of Socket.
	recv sync.Mutex

	// Atomic; written under mu, but for busy and lastBusy, which belong to the
	// holder of recv.
	state    atomic.Uint32
	pinged   atomic.Bool  // a ping is not answered yet
	busy     atomic.Bool  // handler is being called
	lastBusy atomic.Int64 // when a call ended while pinged; of Server.now

	mu sync.Mutex

	// Guarded by mu: the queue.
	queue   []*Message // from head on
	head    int
	queued  int  // bytes in queue and in the write that is going on
	writing bool // somebody writes to conn, and will go on until the queue is empty
	blocked bool // conn did not take all at once
	inline  [inlineQueue]*Message

	// Guarded by mu: the transport. conn is nil while polling.
	conn     link
	readDone bool     // nothing more is read from conn
	b64      bool     // bytes are sent as base64, revision 3
	poll     *poll    // the GET that is open
	post     *post    // the POST that is open
	upgrade  *upgrade // an upgrade that is going on

	// Guarded by mu: heartbeat and end.
	timer  *time.Timer
	phase  phase
	graced bool          // time for the pong was already added
	due    time.Duration // when phase ends; of Server.now
	reason Reason        // given to Close
}

func newSocket(srv *Server, id string) *Socket {
	s := &Socket{srv: srv, id: id}
	s.queue = s.inline[:0]
	return s
}

// ID of the session, a secret between client and server.
func (s *Socket) ID() string { return s.id }

// Request that opened the session.
func (s *Socket) Request() *Request { return &s.req }

// Transport in use: Polling or WebSocket.
func (s *Socket) Transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return transportOf(s.conn)
}

// Close ends the session for reason, which is what Handler.Close is given.
// Nothing more is received or taken, and what was queued is delivered first,
// within CloseTimeout. It does not block; Handler.Close is called, from another
// goroutine, when the last byte has been handed to the connection.
func (s *Socket) Close(reason Reason) {
	s.close(reason, s.srv.opts.CloseTimeout)
}

func (s *Socket) close(reason Reason, timeout time.Duration) {
	if reason == "" {
		reason = ForcedClose
	}
	s.mu.Lock()
	if s.state.Load() != stateOpen {
		s.mu.Unlock()
		return
	}
	s.state.Store(stateClosing)
	s.reason = reason
	s.armLocked(phaseClosing, timeout)
	if s.conn != nil {
		s.pushLocked(closeFrame)
	} else if s.poll != nil {
		s.poll.signal()
	}
	s.mu.Unlock()
	s.Flush()
}

// hurry makes a session that is closing end without waiting for a next request
// of its client.
func (s *Socket) hurry(timeout time.Duration) {
	s.mu.Lock()
	waits := s.conn == nil && s.poll == nil && s.upgrade == nil
	if s.state.Load() == stateClosing {
		s.armLocked(phaseClosing, timeout)
	}
	s.mu.Unlock()
	if waits {
		s.end(ending{})
	}
}

// ending says how a session ends.
type ending struct {
	reason Reason
	err    error
	// poll answers a GET that is open; nil is closeMessage.
	poll *Message
	// frame is the last one on a WebSocket. Nil closes the connection at once.
	frame *Message
	// framed: the last frame has been written already.
	framed bool
}

// end moves the session to stateClosed, once, and lets go of everything that
// belongs to it. It returns false when it was closed before.
func (s *Socket) end(e ending) bool {
	s.mu.Lock()
	if s.state.Load() == stateClosed {
		s.mu.Unlock()
		return false
	}
	if s.state.Load() == stateClosing {
		e.reason = s.reason // however it comes about
	}
	s.state.Store(stateClosed)
	s.timer.Stop()
	s.dropLocked()
	p, up, conn := s.poll, s.upgrade, s.conn
	s.poll, s.upgrade = nil, nil
	if p != nil {
		if p.last = e.poll; p.last == nil {
			p.last = closeMessage
		}
		p.signal()
	}
	if s.post != nil {
		s.post.abort()
	}
	if conn != nil && e.frame != nil {
		s.pushLocked(e.frame)
	}
	s.mu.Unlock()

	s.srv.forget(s, conn == nil && p == nil && e.poll == noopMessage)
	if up != nil {
		_ = up.conn.Close()
	}
	if conn != nil {
		s.endConn(conn, e)
	}
	s.srv.stats.countClosed(e.reason)
	go s.notify(e.reason, e.err)
	return true
}

// notify tells the handler that the session is over, and gives back the
// session's place in Server.wg.
func (s *Socket) notify(reason Reason, err error) {
	defer s.srv.wg.Done()
	defer func() {
		if p := recover(); p != nil {
			s.logPanic(p)
		}
	}()
	s.recv.Lock() // waits for the last Message
	defer s.recv.Unlock()
	if s.handler != nil {
		s.handler.Close(reason, err)
	}
}

// accept asks for the handler of the new session.
func (s *Socket) accept() {
	s.recv.Lock()
	s.busy.Store(true) // the client is not read yet, so it owes no pong
	defer s.release()
	if s.handler = s.srv.onSocket(s); s.handler == nil {
		s.Close(ForcedClose)
	}
}

// release ends a turn of calling the handler, however it ends: a panic closes
// the session and nothing else.
func (s *Socket) release() {
	if p := recover(); p != nil {
		s.logPanic(p)
		s.end(ending{reason: TransportError, err: errPanic, frame: closeFrame})
	}
	s.busy.Store(false)
	s.recv.Unlock()
}

func (s *Socket) logPanic(p any) {
	s.srv.opts.Logger.Error("engine: handler panicked",
		zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
}

// deliver gives one message to the handler. The caller holds recv.
func (s *Socket) deliver(data []byte, binary bool) {
	if s.state.Load() != stateOpen {
		return
	}
	s.srv.stats.messagesIn.Add(1)
	s.busy.Store(true)
	s.handler.Message(data, binary)
	s.busy.Store(false)
	if s.pinged.Load() {
		s.lastBusy.Store(int64(s.srv.now()))
	}
}

// packet handles one packet of a client in text form, from either transport.
// The caller holds recv. An error ends the session, see rejected.
func (s *Socket) packet(data []byte) error {
	if len(data) == 0 {
		return errPacket
	}
	switch data[0] {
	case packetMessage:
		s.deliver(data[1:], false)
	case packetBinary:
		decoded, err := decodeBase64(data[1:])
		if err != nil {
			return err
		}
		s.deliver(decoded, true)
	case packetPong:
		s.onPong()
	case packetPing:
		// Section "Heartbeat": since revision 4 pings are sent by the server.
		return errHeartbeat
	case packetClose:
		return errClientClose
	case packetOpen, packetUpgrade, packetNoop:
		// Nothing to do for a server, and harmless: ignored, as the reference
		// implementation does.
	default:
		return errPacket
	}
	return nil
}

// rejected is how the session ends after an error of packet.
func rejected(err error) ending {
	e := ending{reason: ParseError, err: err, frame: closeFrame}
	switch {
	case errors.Is(err, errClientClose):
		// The client knows that the session is over: its poll needs no close
		// packet.
		e.reason, e.err, e.poll = TransportClose, nil, noopMessage
	case errors.Is(err, errHeartbeat):
		e.reason = TransportError
	}
	return e
}
