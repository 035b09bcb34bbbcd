package ws

import (
	"net"
	"time"
)

// output is what passes between TryWrite and its callback, which is made once: made anew it would be allocated for
// each write. It belongs to the writer.
type output struct {
	callback func(fd uintptr) bool
	buf      []byte
	bufs     [][]byte // written when not nil
	n        int
	err      error
}

// CanTry tells whether TryWrite and TryWritev work on this connection.
func (c *Conn) CanTry() bool { return c.in.raw != nil }

// TryWrite makes one attempt to write and never waits: n may be anything from 0 (the socket's send buffer is full, err
// is nil) to len(b). It answers ErrTryUnsupported where CanTry is false. A write deadline in the past fails it as it does
// Write; so clear the deadline (zero time) after a Write that needed one.
func (c *Conn) TryWrite(b []byte) (n int, err error) {
	c.out.buf = b
	n, err = c.try()
	c.out.buf = nil
	return n, err
}

// TryWritev is TryWrite with the bytes of all bufs, in one system call on Linux. n counts bytes over all bufs.
// No more than the first 64 bufs that are not empty are written.
func (c *Conn) TryWritev(bufs [][]byte) (n int, err error) {
	if len(bufs) == 0 {
		return 0, nil
	}
	c.out.bufs = bufs
	n, err = c.try()
	c.out.bufs = nil
	return n, err
}

// try makes the attempt with what stands in out.
func (c *Conn) try() (int, error) {
	if c.in.raw == nil {
		return 0, ErrTryUnsupported
	}
	if err := c.in.raw.Write(c.out.callback); err != nil {
		return 0, err
	}
	return c.out.n, c.out.err
}

// Write writes all of b and blocks until that is done, the write deadline passes or the connection is closed. b holds
// complete frames (or the rest of one that TryWrite began).
func (c *Conn) Write(b []byte) (int, error) { return c.in.nc.Write(b) }

// WriteBuffers is Write for several buffers, with writev where the connection has it. It consumes bufs as net.Buffers does.
func (c *Conn) WriteBuffers(bufs *net.Buffers) (int64, error) { return bufs.WriteTo(c.in.nc) }

// Shutdown begins the close handshake: it writes a Close frame (as Write does, so the owner serialises it with its
// other writes; the frame must be the last) and gives the peer until timeout to answer; then the reader's ReadLoop
// returns, with a *CloseError or os.ErrDeadlineExceeded, and its owner calls Close. Messages that the peer sends before
// it answers are still given to the handler. It blocks for no longer than timeout.
func (c *Conn) Shutdown(code Code, reason string, timeout time.Duration) error {
	until := time.Now().Add(timeout)
	if err := c.SetWriteDeadline(until); err != nil {
		return err
	}
	if err := c.SetReadDeadline(until); err != nil {
		return err
	}
	_, err := c.Write(AppendClose(nil, code, reason))
	return err
}

// Linger ends a connection whose last frame, a Close, has been written: it lets the peer read that frame. Closing at once
// while the peer is still sending would reset the connection, and the frame could be lost. It closes the sending side,
// throws away what still arrives until the peer closes too or timeout has passed, and closes the connection. It blocks
// for no longer than timeout and belongs to the reader, after ReadLoop or Next have returned for the last time.
func (c *Conn) Linger(timeout time.Duration) error {
	if err := c.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if half, ok := c.in.nc.(interface{ CloseWrite() error }); ok {
		if half.CloseWrite() != nil { // the peer has gone already
			return c.Close()
		}
	}
	for {
		c.in.r = c.in.w
		if err := c.in.fill(1); err != nil {
			c.in.park()
			return c.Close()
		}
	}
}
