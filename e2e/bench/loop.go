//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// loop owns all connections. One goroutine uses it.
type loop struct {
	epoll  int
	timer  int
	conns  []*conn // by file descriptor
	events []unix.EpollEvent
	buf    []byte
	dirty  []*conn // have something to write
	now    int64   // nanoseconds, taken when a batch of events came
	open   int
	broken int // connections that the server ended
}

// conn is one nonblocking connection.
type conn struct {
	fd      int
	input   func(c *conn, data []byte) (used int) // whole messages off data
	rest    []byte                                // an incomplete message
	out     []byte
	queued  bool // in loop.dirty
	blocked bool // waits for the socket to become writable

	ready   bool // may be used
	onReady func(c *conn)
	onAck   func(c *conn, id uint64)
	onText  func(c *conn, payload []byte)
	next    [maxStreams]uint64 // number expected of each stream
	acked   uint64             // acknowledgements received
}

func newLoop() (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("timer: %w", err)
	}
	l := &loop{epoll: epoll, timer: timer, events: make([]unix.EpollEvent, 512), buf: make([]byte, 256<<10)}
	err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, timer, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(timer)})
	l.now = nanotime()
	return l, err
}

func nanotime() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return t.Nano()
}

// dial starts a connection; the server's answer comes later.
func (l *loop) dial(addr netip.AddrPort, c *conn) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	// Closing resets: thousands of connections in TIME_WAIT would run out of ports.
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		_ = unix.Close(fd)
		return fmt.Errorf("connect: %w", err)
	}
	c.fd, c.blocked = fd, true // what is to be sent goes out when it is writable
	for len(l.conns) <= fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	l.open++
	return l.watch(unix.EPOLL_CTL_ADD, c)
}

func (l *loop) watch(op int, c *conn) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)}
	if c.blocked {
		e.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(l.epoll, op, c.fd, &e)
}

// queue marks c: c.out leaves at the end of the batch.
func (l *loop) queue(c *conn) {
	if !c.queued && !c.blocked {
		c.queued = true
		l.dirty = append(l.dirty, c)
	}
}

// flush writes what the batch has queued.
func (l *loop) flush() {
	for i := 0; i < len(l.dirty); i++ {
		l.write(l.dirty[i])
	}
	l.dirty = l.dirty[:0]
}

func (l *loop) write(c *conn) {
	if c.fd < 0 {
		return
	}
	n, err := unix.Write(c.fd, c.out)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		l.end(c)
		return
	}
	c.out = c.out[:copy(c.out, c.out[max(n, 0):])]
	c.queued = false
	if blocked := len(c.out) > 0; blocked != c.blocked {
		c.blocked = blocked
		_ = l.watch(unix.EPOLL_CTL_MOD, c)
	}
}

// poll waits for events until the time until, in nanoseconds, handles one batch
// of them, and returns how many there were.
func (l *loop) poll(until int64) (int, error) {
	l.flush()
	if wait := until - nanotime(); wait > 0 {
		err := unix.TimerfdSettime(l.timer, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(wait)}, nil)
		if err != nil {
			return 0, fmt.Errorf("timer: %w", err)
		}
	}
	timeout := -1
	if until <= nanotime() {
		timeout = 0
	}
	n, err := unix.EpollWait(l.epoll, l.events, timeout)
	for errors.Is(err, unix.EINTR) { // the runtime's signals interrupt it
		n, err = unix.EpollWait(l.epoll, l.events, timeout)
	}
	if err != nil {
		return 0, fmt.Errorf("epoll: %w", err)
	}
	handled := 0
	for _, e := range l.events[:n] {
		if int(e.Fd) == l.timer {
			_, _ = unix.Read(l.timer, l.buf[:8])
			continue
		}
		if c := l.conns[e.Fd]; c != nil {
			l.handle(c, e.Events)
			handled++
		}
	}
	l.now = nanotime()
	if l.broken > 0 {
		return handled, fmt.Errorf("the server ended %d connections", l.broken)
	}
	return handled, nil
}

func (l *loop) handle(c *conn, events uint32) {
	if events&unix.EPOLLOUT != 0 {
		l.write(c)
	}
	if c.fd < 0 || events&^unix.EPOLLOUT == 0 {
		return
	}
	kept := copy(l.buf, c.rest)
	n, err := unix.Read(c.fd, l.buf[kept:])
	if errors.Is(err, unix.EAGAIN) {
		return
	}
	if err != nil || n <= 0 {
		l.end(c)
		return
	}
	l.now = nanotime()
	data := l.buf[:kept+n]
	used := c.input(c, data)
	c.rest = append(c.rest[:0], data[used:]...)
	if len(c.rest) == 0 && cap(c.rest) > 1024 {
		c.rest = nil
	}
}

func (l *loop) end(c *conn) {
	l.broken++
	l.close(c)
}

func (l *loop) close(c *conn) {
	if c.fd >= 0 {
		_ = unix.Close(c.fd)
		l.conns[c.fd] = nil
		c.fd = -1
		l.open--
	}
}

func (l *loop) closeAll() {
	for _, c := range l.conns {
		if c != nil {
			l.close(c)
		}
	}
	_ = unix.Close(l.timer)
	_ = unix.Close(l.epoll)
}

var errStalled = errors.New("the server is silent")

// run handles events until done; for patience nothing may come.
func (l *loop) run(done func() bool, patience time.Duration) error {
	for !done() {
		handled, err := l.poll(nanotime() + int64(patience))
		if err != nil {
			return err
		}
		if handled == 0 && !done() {
			return errStalled
		}
	}
	return nil
}
