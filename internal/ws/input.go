package ws

import (
	"io"
	"net"
	"syscall"
)

// input is the buffered reading side of a connection. It belongs to the reader.
type input struct {
	nc   net.Conn
	raw  syscall.RawConn // nil where reading without a buffer is not possible
	pool *bufferPool

	buf  *buffer // from pool; nil while nothing is buffered and the connection waits
	r, w int     // buf.b[r:w] is unread

	// What passes between a read and its callback, which is made once: made anew it would be allocated for each read.
	callback func(fd uintptr) bool
	direct   []byte // read into this and not into buf
	n        int
	err      error
}

// unread returns what is buffered.
func (in *input) unread() []byte {
	if in.buf == nil {
		return nil
	}
	return in.buf.b[in.r:in.w]
}

// need blocks until n bytes are buffered. n is at most bufferSize.
func (in *input) need(n int) error {
	for in.w-in.r < n {
		if err := in.fill(n); err != nil {
			return err
		}
	}
	return nil
}

// fill blocks until at least one more byte is buffered, on the way to n, of which there are less yet.
func (in *input) fill(n int) error {
	if in.raw == nil {
		return in.fillBlocking(n)
	}
	return in.fillRaw()
}

// fillRaw is fill for a connection that takes its buffer when there is something to read.
func (in *input) fillRaw() error {
	n, err := in.readRaw(nil)
	in.w += n
	return err
}

// readInto blocks until at least one byte has been read into p, past the buffer, which must be empty.
func (in *input) readInto(p []byte) (int, error) {
	in.park()
	if in.raw == nil {
		return notZero(in.nc.Read(p))
	}
	return in.readRaw(p)
}

// readRaw waits until the connection is readable and reads once, into p or, when that is nil, behind what is buffered.
func (in *input) readRaw(p []byte) (int, error) {
	in.direct = p
	err := in.raw.Read(in.callback)
	in.direct = nil
	if err != nil { // the deadline passed or the connection is closed; the callback may have run, and has read nothing
		in.park()
		return 0, err
	}
	n, err := in.n, in.err
	in.n, in.err = 0, nil
	return notZero(n, err)
}

// fillBlocking is fill for a connection that needs its buffer while it waits: a small one, if what is buffered leaves room there.
func (in *input) fillBlocking(n int) error {
	switch {
	case n > smallSize:
		in.open()
	default:
		in.park()
		if in.buf == nil {
			in.buf = in.pool.get(smallSize)
		}
		if in.w == len(in.buf.b) {
			in.open()
		}
	}
	return in.readBlocking()
}

// readBlocking reads behind what is buffered.
func (in *input) readBlocking() error {
	n, err := notZero(in.nc.Read(in.buf.b[in.w:]))
	in.w += n
	if in.w == in.r {
		in.park()
	}
	return err
}

// open makes room behind what is buffered, in a buffer of full size.
func (in *input) open() {
	switch {
	case in.buf == nil:
		in.buf = in.pool.get(bufferSize)
	case len(in.buf.b) < bufferSize:
		in.move(in.pool.get(bufferSize))
	case in.r > 0:
		in.w = copy(in.buf.b, in.buf.b[in.r:in.w])
		in.r = 0
	}
}

// park gives the buffer back before a wait, or changes it for a small one when something is left in it that fits there.
func (in *input) park() {
	if in.buf == nil {
		return
	}
	left := in.w - in.r
	switch {
	case left == 0:
		in.pool.put(in.buf)
		in.buf, in.r, in.w = nil, 0, 0
	case left < smallSize && len(in.buf.b) != smallSize:
		in.move(in.pool.get(smallSize))
	case in.r > 0:
		in.w = copy(in.buf.b, in.buf.b[in.r:in.w])
		in.r = 0
	}
}

// move puts what is buffered into another buffer and gives the old one back.
func (in *input) move(to *buffer) {
	in.w = copy(to.b, in.unread())
	in.r = 0
	in.pool.put(in.buf)
	in.buf = to
}

// preload buffers bytes that were read before the connection was taken over.
func (in *input) preload(b []byte) {
	if len(b) == 0 {
		return
	}
	if len(b) <= bufferSize {
		in.buf = in.pool.get(bufferSize)
	} else {
		in.buf = &buffer{b: make([]byte, len(b))}
		if in.pool.count != nil {
			in.pool.count(len(b))
		}
	}
	in.r, in.w = 0, copy(in.buf.b, b)
}

// notZero keeps the rule of input that a read without an error has read something.
func notZero(n int, err error) (int, error) {
	if n > 0 {
		return n, nil // an error beside bytes comes again with the next read
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return 0, err
}
