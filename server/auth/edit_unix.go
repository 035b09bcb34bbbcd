//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package auth

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// lockDir waits until nobody else changes a file of the directory by rewrite. The lock
// is on the directory, since the file itself is replaced; it ends with the process at the latest.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	unlock = func() { _ = d.Close() }
	for {
		err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			unlock()
			return nil, err
		}
		return unlock, nil
	}
}

// keepOwner gives f the owner and group of the file that it replaces.
func keepOwner(f *os.File, was fs.FileInfo) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	from, ok := was.Sys().(*syscall.Stat_t)
	to, same := now.Sys().(*syscall.Stat_t)
	if !ok || !same || from.Uid == to.Uid && from.Gid == to.Gid {
		return nil
	}
	return f.Chown(int(from.Uid), int(from.Gid))
}
