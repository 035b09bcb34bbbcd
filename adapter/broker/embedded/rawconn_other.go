//go:build !unix

package embedded

import (
	"errors"
	"net"
)

// rawConn exists where sockets are file descriptors only; elsewhere connections are
// read and written the portable way.
type rawConn struct{}

func newRawConn(net.Conn) *rawConn { return nil }

func (*rawConn) tryWrite([]byte) (int, error) { return 0, nil }

func (*rawConn) read() (*buffer, error) { return nil, errors.ErrUnsupported }
