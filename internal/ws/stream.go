package ws

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// closeWait is how long Close waits for the Close frame to be written where that cannot be tried without waiting.
const closeWait = time.Second

// Stream is a net.Conn over binary messages: their bytes, joined, are what Read gives; each Write is one binary
// message. Message borders mean nothing, as in MQTT 5 section 6.0. A text message ends the connection with
// CodeUnsupported [MQTT-6.0.0-1]. MaxMessage of the Upgrade has no effect, since messages are passed on as they arrive.
//
// It may be used as any net.Conn: one reader, any number of writers, Close and deadlines at any time. It answers pings
// and the peer's Close itself, and a Read that does so may wait as a Write does. A Write that fails or passes its
// deadline may have cut a frame: all later ones fail.
type Stream struct {
	c *Conn

	// writing is held by whoever writes to c
	writing sync.Mutex
	failed  error  // guarded by writing: why no more may be written
	rest    []byte // guarded by writing: what TryWrite has begun and must leave first: of a header, or of control frames
	owed    int    // guarded by writing: bytes of the payload that the frame begun by TryWrite still needs

	// mu guards what the reader owes the peer while somebody else writes
	mu   sync.Mutex
	pong []byte // the newest answer to a ping
	bye  []byte // the answer to a Close, the last frame
}

// NewStream makes a Stream of c, which belongs to it from now on.
func NewStream(c *Conn) *Stream { return &Stream{c: c} }

// Read reads bytes of the binary messages that arrive. When the peer has closed, with a Close frame that tells of no
// error or without one between two messages, the error is io.EOF; another *CloseError is returned as it is.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := s.c.some(p, s)
	var closed *CloseError
	if errors.As(err, &closed) {
		s.owe(nil, AppendCloseReply(nil, err))
		normal := closed.Code == CodeNormal || closed.Code == CodeGoingAway || closed.Code == CodeNoStatus
		if !closed.Local && normal {
			err = io.EOF
		}
	}
	return n, err
}

// Pong takes the answer to a ping from Read.
func (s *Stream) Pong(frame []byte) { s.owe(append([]byte(nil), frame...), nil) }

// Write writes p as one binary message.
func (s *Stream) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.writing.Lock()
	n, err := s.message(p)
	s.writing.Unlock()
	s.pay(s.c.Write)
	return n, err
}

// message writes p with the header in front, in one write, after the rest of a frame that TryWrite began. The caller
// holds writing.
func (s *Stream) message(p []byte) (int, error) {
	if s.failed != nil {
		return 0, s.failed
	}
	done := 0
	if s.begun() {
		bufs := net.Buffers{s.rest, p[:min(s.owed, len(p))]}
		n, err := s.c.WriteBuffers(&bufs)
		if done = s.sent(int(n)); err != nil {
			s.failed = err
			return done, err
		}
		if p = p[done:]; len(p) == 0 {
			return done, nil
		}
	}
	var n int64
	var err error
	head := HeaderLen(len(p))
	if head+len(p) <= bufferSize {
		buf := shared.get(bufferSize)
		PutHeader(buf.b, Binary, len(p))
		var n1 int
		n1, err = s.c.Write(buf.b[:head+copy(buf.b[head:], p)])
		n = int64(n1)
		shared.put(buf)
	} else {
		n, err = s.c.WriteBuffers(&net.Buffers{AppendHeader(nil, Binary, len(p)), p})
	}
	if err != nil {
		s.failed = err
	}
	return done + max(0, int(n)-head), err
}

// owe notes frames that the peer must get and writes them unless somebody is writing, who does it then.
func (s *Stream) owe(pong, bye []byte) {
	s.mu.Lock()
	if pong != nil {
		s.pong = pong // only the newest ping needs an answer, RFC 6455 section 5.5.3
	}
	if s.bye == nil {
		s.bye = bye
	}
	s.mu.Unlock()
	s.pay(s.c.Write)
}

// pay writes what is owed. It does not wait for another writer, who pays after its own message; nor for a frame that
// TryWrite has begun.
func (s *Stream) pay(write func([]byte) (int, error)) {
	for s.owing() && s.writing.TryLock() {
		whole := s.owed == 0
		if whole {
			s.settle(write)
		}
		s.writing.Unlock()
		if !whole {
			return
		}
	}
}

// settle writes what is owed between two frames, and keeps what write does not take. The caller holds writing.
func (s *Stream) settle(write func([]byte) (int, error)) {
	s.mu.Lock()
	pong, bye := s.pong, s.bye
	s.pong, s.bye = nil, nil
	s.mu.Unlock()
	frames := append(append(s.rest, pong...), bye...)
	if s.failed != nil || len(frames) == 0 {
		return
	}
	n, err := write(frames)
	s.rest, s.failed = frames[n:], err
	if len(s.rest) == 0 {
		s.rest = nil
	}
	if bye != nil && s.failed == nil {
		s.failed = net.ErrClosed // nothing follows a Close frame, RFC 6455 section 5.5.1
	}
}

// owing tells whether there is something to pay.
func (s *Stream) owing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pong != nil || s.bye != nil
}

// Close closes the connection, after a Close frame if none was sent, nobody is writing, and it can be written without
// waiting. Where nothing can be written without waiting (TLS) it waits for up to a second.
func (s *Stream) Close() error {
	if s.writing.TryLock() {
		if s.failed == nil {
			s.failed = net.ErrClosed
			if s.owed == 0 {
				s.farewell(AppendClose(s.rest, CodeNormal, ""))
			}
		}
		s.writing.Unlock()
	}
	return s.c.Close()
}

// farewell writes the Close frame; that it may not arrive changes nothing.
func (s *Stream) farewell(frame []byte) {
	if s.c.CanTry() {
		_, _ = s.c.TryWrite(frame)
		return
	}
	if s.c.SetWriteDeadline(time.Now().Add(closeWait)) == nil {
		_, _ = s.c.Write(frame)
	}
}

// LocalAddr returns the address of this side.
func (s *Stream) LocalAddr() net.Addr { return s.c.NetConn().LocalAddr() }

// RemoteAddr returns the address of the peer.
func (s *Stream) RemoteAddr() net.Addr { return s.c.NetConn().RemoteAddr() }

// NetConn returns the underlying connection, as tls.Conn does. Do not read from it or write to it.
func (s *Stream) NetConn() net.Conn { return s.c.NetConn() }

// SetDeadline sets both deadlines.
func (s *Stream) SetDeadline(t time.Time) error { return s.c.NetConn().SetDeadline(t) }

// SetReadDeadline sets the deadline of Read. A Read that passed it loses nothing: the next one goes on.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.c.SetReadDeadline(t) }

// SetWriteDeadline sets the deadline of Write.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.c.SetWriteDeadline(t) }
