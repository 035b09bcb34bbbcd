//go:build unix

package ws_test

import (
	"net"
	"os"
	"syscall"
	"testing"
)

const haveRaw = true

// rawPair returns two connected Unix domain stream sockets.
func rawPair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatalf("socketpair: %v", err)
	}
	var pair [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		if pair[i], err = net.FileConn(f); err != nil {
			t.Fatalf("connection of descriptor: %v", err)
		}
		_ = f.Close()
	}
	return pair[0], pair[1]
}
