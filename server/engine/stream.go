package engine

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"siomq/internal/ws"
)

// StreamSession is a WebTransport session that is open, as [Server.ServeSession]
// takes it. Its methods may be called at the same time.
type StreamSession interface {
	// AcceptStream waits for the next bidirectional stream that the client opens.
	// It fails when ctx ends or the session does.
	AcceptStream(ctx context.Context) (Stream, error)
	// Close ends the session; the client is told code and text. Reads and writes on
	// its streams fail from then on. It does not block; calls after the first do
	// nothing.
	Close(code uint32, text string)
}

// Stream is a bidirectional stream of a StreamSession. One goroutine may read
// while another writes.
type Stream interface {
	// Read returns io.EOF when the client has closed the stream or, without an error
	// code, the session.
	io.Reader
	io.Writer
	// Deadlines end calls in progress too. The zero time means never.
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	// Reset refuses the stream in both directions.
	Reset()
}

// streamReadBuffer is the size of the buffer of a stream. Larger payloads are
// read past it.
const streamReadBuffer = 512

// errStreamEnd: the client has closed the stream or the session, or has taken
// everything that it was sent before the end.
var errStreamEnd = errors.New("end of the stream")

// streamLink carries packets over a stream, framed as section "Packet encoding,
// WebTransport" says: a header like that of a server frame of WebSocket without
// its first byte, whose first bit tells whether the payload is binary.
//
// There is no close frame, and the end of a WebTransport session loses what is
// on its way. So where a WebSocket gets its close frame a stream gets one more
// ping, and the session ends when that is answered: the client has taken
// everything before it by then.
type streamLink struct {
	// Fixed after ServeSession has the stream.
	srv    *Server
	sess   StreamSession
	stream Stream

	// The reader's.
	in    *bufio.Reader
	pongs uint32

	pings  atomic.Uint32 // written, or just about to be
	asking atomic.Bool   // the last one has been
	once   sync.Once
	closed chan struct{} // closed by Close
}

func newStreamLink(srv *Server, sess StreamSession) *streamLink {
	return &streamLink{srv: srv, sess: sess, closed: make(chan struct{})}
}

func (l *streamLink) use(st Stream) {
	l.stream, l.in = st, bufio.NewReaderSize(st, streamReadBuffer)
}

// ReadLoop implements link.
func (l *streamLink) ReadLoop(h ws.Handler) error {
	for {
		buf := l.srv.getBuffer()
		op, err := l.next(buf, l.srv.opts.MaxPayload)
		switch {
		case err != nil:
		case op == ws.Text && len(*buf) == 1 && (*buf)[0] == packetPong && l.ponged():
			err = errStreamEnd
		default:
			err = h.Message(op, *buf)
		}
		l.srv.putBuffer(buf)
		if err != nil {
			return err
		}
	}
}

// ponged counts a pong and tells whether it answers the last ping of all. Some
// answer no ping of this stream: that was sent on polling, before the upgrade.
func (l *streamLink) ponged() bool {
	last := l.asking.Load()
	sent := l.pings.Load()
	if l.pongs != sent {
		l.pongs++
	}
	return last && l.pongs == sent
}

// next reads one frame with at most limit bytes into *buf.
func (l *streamLink) next(buf *[]byte, limit int) (ws.Opcode, error) {
	first, err := l.in.ReadByte()
	if err == io.EOF {
		return 0, errStreamEnd
	}
	if err != nil {
		return 0, err
	}
	op, n := ws.Text, uint64(first&0x7f)
	if first&0x80 != 0 {
		op = ws.Binary
	}
	var ext [8]byte
	switch n {
	case 126:
		_, err = io.ReadFull(l.in, ext[6:])
		n = binary.BigEndian.Uint64(ext[:])
	case 127:
		_, err = io.ReadFull(l.in, ext[:])
		n = binary.BigEndian.Uint64(ext[:])
	}
	if err != nil {
		return 0, err
	}
	if n > uint64(limit) {
		return 0, errTooLarge
	}
	if err := l.payload(buf, int(n)); err != nil {
		return 0, err
	}
	if op == ws.Text && !utf8.Valid(*buf) {
		return 0, errUTF8
	}
	return op, nil
}

// payload reads n bytes into *buf, which grows with what arrives and not with
// what is announced.
func (l *streamLink) payload(buf *[]byte, n int) error {
	b := (*buf)[:0]
	for len(b) < n {
		if len(b) == cap(b) {
			b = slices.Grow(b, min(n-len(b), max(firstBody, len(b))))
		}
		m, err := l.in.Read(b[len(b):min(n, cap(b))])
		b = b[:len(b)+m]
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && len(b) < n {
			return err
		}
	}
	*buf = b
	return nil
}

// Write implements link.
func (l *streamLink) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	buf := l.srv.getBuffer()
	defer l.srv.putBuffer(buf)
	for rest := b; len(rest) > 0; {
		op, head, n := frameAt(rest)
		frame := rest[1 : head+n]
		rest = rest[head+n:]
		large := n >= maxCopied
		if large {
			frame = frame[:head-1]
		}
		l.appendFrame(buf, op, frame)
		if !large {
			continue
		}
		if err := l.flush(buf); err != nil {
			return 0, err
		}
		if _, err := l.stream.Write(b[len(b)-len(rest)-n : len(b)-len(rest)]); err != nil {
			return 0, err
		}
	}
	if err := l.flush(buf); err != nil {
		return 0, err
	}
	return len(b), nil
}

// appendFrame appends a WebSocket frame without its first byte (or only what is
// left of its header then) as it stands on the stream.
func (l *streamLink) appendFrame(buf *[]byte, op ws.Opcode, frame []byte) {
	at := len(*buf)
	switch {
	case op == ws.CloseFrame:
		l.pings.Add(1)
		l.asking.Store(true)
		*buf = append(*buf, 1, packetPing)
	case op == ws.Text:
		if len(frame) == 2 && frame[1] == packetPing {
			l.pings.Add(1)
		}
		*buf = append(*buf, frame...)
	case op == ws.Binary && len(frame) == 1:
		// The reference implementation takes no empty frame, not even from itself.
		*buf = append(*buf, 1, packetBinary)
	case op == ws.Binary:
		*buf = append(*buf, frame...)
		(*buf)[at] |= 0x80
	}
}

func (l *streamLink) flush(buf *[]byte) error {
	if len(*buf) == 0 {
		return nil
	}
	_, err := l.stream.Write(*buf)
	*buf = (*buf)[:0]
	return err
}

// CanTry implements link: a stream has blocking writes only.
func (l *streamLink) CanTry() bool { return false }

// TryWrite implements link.
func (l *streamLink) TryWrite([]byte) (int, error) { return 0, errors.ErrUnsupported }

// TakesCompressed implements link.
func (l *streamLink) TakesCompressed(int) bool { return false }

// SetReadDeadline implements link.
func (l *streamLink) SetReadDeadline(t time.Time) error { return l.stream.SetReadDeadline(t) }

// SetWriteDeadline implements link.
func (l *streamLink) SetWriteDeadline(t time.Time) error { return l.stream.SetWriteDeadline(t) }

// Close implements link. It ends the WebTransport session.
func (l *streamLink) Close() error {
	l.end(0, "")
	return nil
}

func (l *streamLink) end(code uint32, text string) {
	l.once.Do(func() {
		l.sess.Close(code, text)
		close(l.closed)
	})
}
