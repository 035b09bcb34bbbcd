package ws

import (
	"net"
	"time"
)

// Handler is what a connection's owner gives to ReadLoop. Its methods are called by ReadLoop's goroutine only, one at
// a time.
type Handler interface {
	// Message is given each message, Text (checked to be UTF-8) or Binary, in order. It may block, and then nothing is
	// read. data is valid only during the call and may be changed by it. An error ends ReadLoop, which returns it.
	Message(op Opcode, data []byte) error
	// Pong is given the complete frame that answers a ping, also between the fragments of a message. The owner writes
	// it between two frames of its own, or drops it for a later one (RFC 6455 section 5.5.3). frame is valid only during the call.
	Pong(frame []byte)
}

// Conn is the server side of a WebSocket connection. The package comment says who may call what at once.
type Conn struct {
	nc net.Conn
}

// ReadLoop reads until the connection ends and gives what arrives to h. It always returns an error, never nil:
//   - *CloseError: the peer sent Close, or (Local) violated the protocol. In both cases AppendCloseReply gives the frame to answer with.
//   - io.EOF: the peer closed the connection between two messages without a Close frame; io.ErrUnexpectedEOF: in the middle of one.
//   - os.ErrDeadlineExceeded (wrapped): the read deadline has passed. ReadLoop may be called again; nothing is lost.
//   - net.ErrClosed (wrapped): Close was called.
//   - the error that h.Message returned.
//   - any other error of the underlying connection.
//
// It does not close the connection.
func (c *Conn) ReadLoop(h Handler) error { panic("not yet") }

// Next blocks until a whole message has arrived and returns it. data is valid until the next call. pong, which may be nil,
// is called like Handler.Pong. Errors are those of ReadLoop.
func (c *Conn) Next(pong func(frame []byte)) (op Opcode, data []byte, err error) { panic("not yet") }

// AppendCloseReply appends the Close frame that the peer is owed when reading ended with err: the echo of its Close, or
// the code of its violation. Nothing is appended when err is not a *CloseError.
func AppendCloseReply(dst []byte, err error) []byte { panic("not yet") }

// CanTry tells whether TryWrite and TryWritev work on this connection.
func (c *Conn) CanTry() bool { panic("not yet") }

// TryWrite makes one attempt to write and never waits: n may be anything from 0 (the socket's send buffer is full, err
// is nil) to len(b). It answers ErrTryUnsupported where CanTry is false. A write deadline in the past fails it as it does
// Write; so clear the deadline (zero time) after a Write that needed one.
func (c *Conn) TryWrite(b []byte) (n int, err error) { panic("not yet") }

// TryWritev is TryWrite with the bytes of all bufs in one system call. n counts bytes over all bufs.
// At most 64 bufs are looked at.
func (c *Conn) TryWritev(bufs [][]byte) (n int, err error) { panic("not yet") }

// Write writes all of b and blocks until that is done, the write deadline passes or the connection is closed. b holds
// complete frames (or the rest of one that TryWrite began).
func (c *Conn) Write(b []byte) (int, error) { panic("not yet") }

// WriteBuffers is Write for several buffers, with writev where the connection has it. It consumes bufs as net.Buffers does.
func (c *Conn) WriteBuffers(bufs *net.Buffers) (int64, error) { panic("not yet") }

// SetReadDeadline sets when reading fails with os.ErrDeadlineExceeded; the zero time means never. It also ends a read in progress.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.nc.SetReadDeadline(t) }

// SetWriteDeadline sets when writing fails with os.ErrDeadlineExceeded; the zero time means never.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.nc.SetWriteDeadline(t) }

// Shutdown begins the close handshake: it writes a Close frame (as Write does, so the owner serialises it with its
// other writes; the frame must be the last) and gives the peer until timeout to answer; then the reader's ReadLoop
// returns, with a *CloseError or os.ErrDeadlineExceeded, and its owner calls Close.
func (c *Conn) Shutdown(code Code, reason string, timeout time.Duration) error { panic("not yet") }

// Close closes the underlying connection without a Close frame. Reads and writes in progress end with net.ErrClosed.
func (c *Conn) Close() error { return c.nc.Close() }

// Subprotocol returns the subprotocol chosen in the handshake, "" for none.
func (c *Conn) Subprotocol() string { panic("not yet") }

// NetConn returns the underlying connection, for its addresses and options. Do not read from it or write to it.
func (c *Conn) NetConn() net.Conn { return c.nc }
