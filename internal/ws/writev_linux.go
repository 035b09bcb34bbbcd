package ws

import (
	"syscall"
	"unsafe"
)

// maxVec is how many buffers go into one system call.
const maxVec = 64

// writev is writev(2). The buffers are on the stack of the caller or the heap and stay where they are during the call.
func writev(fd int, bufs [][]byte) (int, error) {
	var vec [maxVec]syscall.Iovec
	n := 0
	for _, b := range bufs {
		if len(b) == 0 {
			continue
		}
		if n == maxVec {
			break
		}
		vec[n].Base = unsafe.SliceData(b)
		vec[n].SetLen(len(b))
		n++
	}
	if n == 0 {
		return 0, nil
	}
	written, _, errno := syscall.Syscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&vec[0])), uintptr(n))
	if errno != 0 {
		return 0, errno
	}
	return int(written), nil
}
