//go:build unix && !linux

package ws

import "syscall"

// writev writes one buffer after another until one is not taken whole: package syscall has no writev here.
func writev(fd int, bufs [][]byte) (int, error) {
	total := 0
	for _, b := range bufs {
		if len(b) == 0 {
			continue
		}
		n, err := syscall.Write(fd, b)
		if err != nil {
			if total > 0 {
				return total, nil // the error comes again with the next attempt
			}
			return 0, err
		}
		total += n
		if n < len(b) {
			break
		}
	}
	return total, nil
}
