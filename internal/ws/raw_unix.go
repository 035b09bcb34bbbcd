//go:build unix

package ws

import (
	"io"
	"net"
	"os"
	"syscall"
)

// rawConn returns the RawConn of a connection whose reads and writes are plain system calls on a nonblocking socket, or
// nil. The exact types are asked for: a type that embeds one of them may count or change what passes through.
func rawConn(nc net.Conn) syscall.RawConn {
	var raw syscall.RawConn
	var err error
	switch t := nc.(type) {
	case *net.TCPConn:
		raw, err = t.SyscallConn()
	case *net.UnixConn:
		raw, err = t.SyscallConn()
	}
	if err != nil {
		return nil
	}
	return raw
}

// readFD is the callback of readRaw. It reports false when there is nothing to read yet: RawConn.Read then waits,
// and the buffer has gone back.
func (in *input) readFD(fd uintptr) bool {
	p := in.direct
	if p == nil {
		in.open()
		p = in.buf.b[in.w:]
	}
	n, err := syscall.Read(int(fd), p)
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), p)
	}
	switch {
	case err == syscall.EAGAIN:
		in.park()
		return false
	case err != nil:
		in.n, in.err = 0, opError("read", in.nc, err)
	case n == 0:
		in.n, in.err = 0, io.EOF
	default:
		in.n, in.err = n, nil
	}
	return true
}

// writeFD is the callback of TryWrite. It always reports true: there is no wait.
func (c *Conn) writeFD(fd uintptr) bool {
	n, err := c.out.write(int(fd))
	for err == syscall.EINTR {
		n, err = c.out.write(int(fd))
	}
	switch {
	case err == syscall.EAGAIN:
		c.out.n, c.out.err = 0, nil
	case err != nil:
		c.out.n, c.out.err = 0, opError("write", c.in.nc, err)
	default:
		c.out.n, c.out.err = n, nil
	}
	return true
}

// write makes the system call for one buffer or several.
func (o *output) write(fd int) (int, error) {
	if o.bufs != nil {
		return writev(fd, o.bufs)
	}
	return syscall.Write(fd, o.buf)
}

// opError gives a failed system call the form it has when package net makes the call.
func opError(op string, nc net.Conn, err error) error {
	a := nc.RemoteAddr()
	return &net.OpError{Op: op, Net: a.Network(), Source: nc.LocalAddr(), Addr: a, Err: os.NewSyscallError(op, err)}
}
