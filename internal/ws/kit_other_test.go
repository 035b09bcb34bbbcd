//go:build !unix

package ws_test

import (
	"net"
	"testing"
)

const haveRaw = false

func rawPair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	return net.Pipe()
}
