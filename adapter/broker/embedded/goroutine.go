package embedded

import (
	"bytes"
	"runtime"
	"strconv"
)

// goroutineID returns the number of the calling goroutine, as its stack trace
// says it. The function that removes a Handler needs to know whether the handler
// itself calls it, and there is no other way to tell. It is asked once for each
// connection and at each removal, never for a message.
func goroutineID() uint64 {
	var b [64]byte
	n := runtime.Stack(b[:], false)
	s, _, _ := bytes.Cut(bytes.TrimPrefix(b[:n], []byte("goroutine ")), []byte(" "))
	id, err := strconv.ParseUint(string(s), 10, 64)
	if err != nil {
		return 0
	}
	return id
}
