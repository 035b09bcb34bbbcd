//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: needs epoll and /proc, which Linux has")
	os.Exit(1)
}
