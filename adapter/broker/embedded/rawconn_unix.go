//go:build unix

package embedded

import (
	"net"
	"syscall"
)

// rawConn does single system calls on a socket. One reader and one writer may
// use it at once.
type rawConn struct {
	raw syscall.RawConn

	// owned by the writer
	out     []byte
	outN    int
	outErr  error
	writeFn func(fd uintptr) bool

	// owned by the reader
	in     *buffer
	inErr  error
	readFn func(fd uintptr) bool
}

// newRawConn returns nil for what is not a plain socket, such as TLS.
func newRawConn(c net.Conn) *rawConn {
	var raw syscall.RawConn
	var err error
	switch c := c.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	r := &rawConn{raw: raw}
	r.writeFn = r.writeOnce // bound once: a closure for each call would be allocated
	r.readFn = r.readOnce
	return r
}

// tryWrite writes what the socket takes without blocking.
func (r *rawConn) tryWrite(b []byte) (int, error) {
	r.out, r.outN, r.outErr = b, 0, nil
	err := r.raw.Write(r.writeFn)
	r.out = nil
	if err == nil {
		err = r.outErr
	}
	return r.outN, err
}

// writeOnce returns true always: the caller does not want to wait.
func (r *rawConn) writeOnce(fd uintptr) bool {
	for r.outN < len(r.out) {
		n, err := syscall.Write(int(fd), r.out[r.outN:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return true
		case err != nil:
			r.outErr = err
			return true
		default:
			r.outN += n
		}
	}
	return true
}

// read waits until there is something to read and then takes a buffer: whoever
// only waits holds none. At the end of the stream it returns no bytes.
func (r *rawConn) read() (*buffer, error) {
	r.in, r.inErr = nil, nil
	err := r.raw.Read(r.readFn)
	b := r.in
	r.in = nil
	if err == nil {
		err = r.inErr
	}
	return b, err
}

func (r *rawConn) readOnce(fd uintptr) bool {
	b := getBuffer()
	for {
		n, err := syscall.Read(int(fd), b.b[:cap(b.b)])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			putBuffer(b)
			if err == syscall.EAGAIN {
				return false
			}
			r.inErr = err
			return true
		}
		b.b = b.b[:n]
		r.in = b
		return true
	}
}
