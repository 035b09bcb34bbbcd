// Command limit is what Go sockets can do: it answers the load generator as a
// Socket.IO server and an MQTT broker would, and does nothing else. It trusts
// its input, knows one room, has no heartbeat and no bounds. It shows what the
// same messages cost when only the sockets are left:
//
//   - a connection that waits holds no buffer; one is taken from a pool when
//     there is something to read
//   - a message is framed once, and its bytes are shared by all receivers
//   - what one read brought is handled before anything is written, and what
//     waits for a connection leaves in one write
package main

import (
	"errors"
	"flag"
	"log"
	"net"
	"sync"
	"syscall"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "address of the Socket.IO door")
	mqtt := flag.String("mqtt", "", "address of the MQTT door; empty: none")
	flag.Parse()
	h := &hub{}
	if *mqtt != "" {
		listener, err := net.Listen("tcp", *mqtt)
		if err != nil {
			log.Fatal(err)
		}
		go h.accept(listener, newDevice)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	h.accept(listener, newSocket)
}

// protocol takes whole messages off data and returns how many bytes they had.
type protocol func(c *conn, data []byte) (used int)

// hub knows the receivers.
type hub struct {
	mu      sync.RWMutex
	sockets []*conn // in the room
	devices []*conn // subscribed
}

func (h *hub) accept(listener net.Listener, open func(*conn) protocol) {
	for {
		nc, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		tcp := nc.(*net.TCPConn)
		raw, err := tcp.SyscallConn()
		if err != nil {
			continue
		}
		c := &conn{hub: h, tcp: tcp, raw: raw}
		go c.run(open(c))
	}
}

// deliver puts frames into the queues of all receivers; the caller flushes.
func (h *hub) deliver(text []byte, payload []byte, dirty []*conn) []*conn {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, c := range h.sockets {
		dirty = c.queue(text, dirty)
	}
	if len(h.devices) == 0 {
		return dirty
	}
	frames := [2][]byte{publishFrame(payload, 0), publishFrame(payload, 1)}
	for _, c := range h.devices {
		dirty = c.queue(frames[c.qos], dirty)
	}
	return dirty
}

// conn is one connection of either kind.
type conn struct {
	hub *hub
	tcp *net.TCPConn
	raw syscall.RawConn

	// owned by the reading goroutine
	rest  []byte  // an incomplete message
	dirty []*conn // have something to write

	mu      sync.Mutex
	out     []byte // waits for a write
	waiting bool   // is in somebody's dirty list, or has a writer
	qos     byte   // of its subscription
}

type buffer struct{ b [64 << 10]byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func (c *conn) run(p protocol) {
	defer c.tcp.Close()
	for c.readOnce(p) == nil {
	}
	c.leave()
}

// readOnce waits for input without a buffer, handles what there is, and writes
// what came of it.
func (c *conn) readOnce(p protocol) error {
	var failed error
	err := c.raw.Read(func(fd uintptr) bool {
		buf := buffers.Get().(*buffer)
		defer buffers.Put(buf)
		n, err := syscall.Read(int(fd), buf.b[:])
		if errors.Is(err, syscall.EAGAIN) {
			return false
		}
		if err != nil || n == 0 {
			failed = net.ErrClosed
			return true
		}
		c.input(buf.b[:n], p)
		return true
	})
	for i, d := range c.dirty {
		d.flush()
		c.dirty[i] = nil
	}
	c.dirty = c.dirty[:0]
	return errors.Join(err, failed)
}

func (c *conn) input(data []byte, p protocol) {
	if len(c.rest) > 0 {
		data = append(c.rest, data...)
		c.rest = nil
	}
	if used := p(c, data); used < len(data) {
		c.rest = append([]byte(nil), data[used:]...)
	}
}

func (c *conn) queue(frame []byte, dirty []*conn) []*conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, frame...)
	if c.waiting {
		return dirty
	}
	c.waiting = true
	return append(dirty, c)
}

// flush writes what waits, without blocking; the rest is for a goroutine.
func (c *conn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	done := 0
	_ = c.raw.Write(func(fd uintptr) bool {
		n, err := syscall.Write(int(fd), c.out)
		if n > 0 {
			done = n
		}
		if err != nil && !errors.Is(err, syscall.EAGAIN) {
			done = len(c.out) // gone: the reader finds out
		}
		return true
	})
	if done == len(c.out) {
		c.out = c.out[:0]
		c.waiting = false
		if cap(c.out) > 4096 {
			c.out = nil
		}
		return
	}
	rest := append([]byte(nil), c.out[done:]...)
	c.out = nil
	go c.drain(rest)
}

// drain writes what did not fit, and what has come since.
func (c *conn) drain(rest []byte) {
	for {
		_, err := c.tcp.Write(rest)
		c.mu.Lock()
		if err != nil || len(c.out) == 0 {
			c.out, c.waiting = nil, err != nil
			c.mu.Unlock()
			return
		}
		rest, c.out = c.out, nil
		c.mu.Unlock()
	}
}

func (c *conn) leave() {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	for _, list := range []*[]*conn{&c.hub.sockets, &c.hub.devices} {
		for i, other := range *list {
			if other == c {
				(*list)[i] = (*list)[len(*list)-1]
				*list = (*list)[:len(*list)-1]
				break
			}
		}
	}
}
