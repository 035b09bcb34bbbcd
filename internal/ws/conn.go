package ws

import (
	"net"
	"time"
)

// PongWriter is the part of a connection's owner that answers pings.
type PongWriter interface {
	// Pong is given the complete frame that answers a ping, also between the fragments of a message. The owner writes
	// it between two frames of its own, or drops it for a later one (RFC 6455 section 5.5.3). frame is valid only
	// during the call.
	Pong(frame []byte)
}

// Handler is what a connection's owner gives to ReadLoop. Its methods are called by ReadLoop's goroutine only, one at
// a time.
type Handler interface {
	PongWriter
	// Message is given each message, Text (checked to be UTF-8) or Binary, in order. It may block, and then nothing is
	// read. data is valid only during the call and may be changed by it. An error ends ReadLoop, which returns it.
	Message(op Opcode, data []byte) error
}

// Conn is the server side of a WebSocket connection. The package comment says who may call what at once.
type Conn struct {
	// fixed after Upgrade
	limit       int64 // bytes of a message; negative: none
	subprotocol string
	agreed      agreement // about compression

	// the reader's
	in input
	as assembly

	// the writer's
	out output
}

// newConn makes a Conn of a connection that has been through the handshake. early holds bytes already read from it.
func newConn(nc net.Conn, pool *bufferPool, limit int64, early []byte) *Conn {
	c := &Conn{limit: limit, in: input{nc: nc, pool: pool}}
	if c.in.raw = rawConn(nc); c.in.raw != nil {
		c.in.callback = c.in.readFD
		c.out.callback = c.writeFD
	}
	c.in.preload(early)
	return c
}

// SetReadDeadline sets when reading fails with os.ErrDeadlineExceeded; the zero time means never. It also ends a read
// in progress.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.in.nc.SetReadDeadline(t) }

// SetWriteDeadline sets when writing fails with os.ErrDeadlineExceeded; the zero time means never.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.in.nc.SetWriteDeadline(t) }

// Close closes the underlying connection without a Close frame. Reads and writes in progress end with net.ErrClosed.
func (c *Conn) Close() error { return c.in.nc.Close() }

// Subprotocol returns the subprotocol chosen in the handshake, "" for none.
func (c *Conn) Subprotocol() string { return c.subprotocol }

// NetConn returns the underlying connection, for its addresses and options. Do not read from it or write to it.
func (c *Conn) NetConn() net.Conn { return c.in.nc }
