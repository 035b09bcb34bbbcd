// What the tests outside the package need of its inside: a Conn without a handshake, a pool that counts, and a signal
// when the reader finds nothing more to read, so that a test decides what each read returns.

package ws

import (
	"net"
	"strings"
	"sync/atomic"
)

// Sizes and functions under test.
const (
	BufferSize = bufferSize
	SmallSize  = smallSize
)

// Mask is mask.
func Mask(key uint32, b []byte) uint32 { return mask(key, b) }

// Held counts the bytes of pooled buffers that are out.
type Held struct{ atomic.Int64 }

// NewPool makes a pool that tells held what it gives out.
func NewPool(held *Held) any {
	return &bufferPool{count: func(n int) { held.Add(int64(n)) }}
}

// NewTestConn makes a Conn of nc as after a handshake.
func NewTestConn(nc net.Conn, pool any, limit int64, early []byte) *Conn {
	p, _ := pool.(*bufferPool)
	if p == nil {
		p = &shared
	}
	return newConn(nc, p, limit, early)
}

// OnPark makes the reader call f whenever it found nothing to read and has given its buffer back, before it waits.
func OnPark(c *Conn, f func()) {
	inner := c.in.callback
	c.in.callback = func(fd uintptr) bool {
		done := inner(fd)
		if !done {
			f()
		}
		return done
	}
}

// Assembled returns the memory that a message in progress takes in its own slice.
func Assembled(c *Conn) int { return cap(c.as.msg) }

// Agree makes c a connection that agreed on compression, with so many bits for the window of what it sends.
func Agree(c *Conn, window uint8) { c.agreed.window = window }

// MaxStreams is maxStreams.
const MaxStreams = maxStreams

// ReadSome is what a Stream reads with.
func ReadSome(c *Conn, p []byte) (int, error) { return c.some(p, nil) }

// Negotiate returns the value that answers an offer, "" when it is declined or malformed.
func Negotiate(line string) string {
	a, _ := negotiate([]string{line})
	_, value, _ := strings.Cut(string(a.appendTo(nil)), ": ")
	return value
}
