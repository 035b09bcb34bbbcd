//go:build !unix

package ws

import (
	"net"
	"syscall"
)

// rawConn returns nil: sockets are not nonblocking here, or not descriptors.
func rawConn(net.Conn) syscall.RawConn { return nil }

// readFD is never called.
func (in *input) readFD(uintptr) bool { return true }

// writeFD is never called.
func (c *Conn) writeFD(uintptr) bool { return true }
