package embedded

import (
	"net"
	"sync"
)

// Buffers of this size serve both directions; they are held only while bytes
// wait. A larger one is not kept.
const (
	bufferSize    = 4 << 10
	maxPooledSize = 64 << 10
)

type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, bufferSize)} }}

func getBuffer() *buffer {
	b := buffers.Get().(*buffer)
	b.b = b.b[:0]
	return b
}

// putBuffer takes b back; nil is allowed.
func putBuffer(b *buffer) {
	if b != nil && cap(b.b) >= bufferSize && cap(b.b) <= maxPooledSize {
		buffers.Put(b)
	}
}

// TryWriter is what a net.Conn given to ServeConn may have: TryWrite writes what
// fits without blocking and returns how much that was. Without it each burst
// of writes to that connection costs a goroutine.
type TryWriter interface {
	TryWrite(p []byte) (n int, err error)
}

// writer is the way out of one connection. What is sent waits in a queue with a
// bound in bytes and leaves in one write: in the goroutine of whoever flushes as
// long as the connection takes it without blocking, else in a goroutine that lives
// until the queue is empty. So nobody waits for a client that does not read.
type writer struct {
	conn  net.Conn
	raw   *rawConn // nil when conn is no socket
	limit int
	spawn func(func()) // starts a goroutine that its owner waits for

	mu      sync.Mutex
	buf     *buffer // waiting; nil while there is nothing
	pending int     // bytes that are being written
	busy    bool    // somebody writes
	refuse  bool    // no more is taken
	over    bool    // it was refused since the bound was reached
	err     error
	idle    *sync.Cond // busy fell or err was set; made on first use
}

// send queues the bytes that add appends, and reports false when the
// connection takes nothing more. The caller flushes later.
func (w *writer) send(add func(dst []byte) []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse {
		return false
	}
	if w.buf == nil {
		w.buf = getBuffer()
	}
	w.buf.b = add(w.buf.b)
	if len(w.buf.b)+w.pending > w.limit {
		w.refuse, w.over = true, true
		w.buf = nil
		return false
	}
	return true
}

// overflowed reports whether the bound was reached.
func (w *writer) overflowed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.over
}

// failed reports whether some of what was queued will not arrive.
func (w *writer) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.over || w.err != nil
}

// stop makes send refuse. What is queued still leaves.
func (w *writer) stop() {
	w.mu.Lock()
	w.refuse = true
	w.mu.Unlock()
}

// flush writes what waits, without blocking.
func (w *writer) flush() {
	w.mu.Lock()
	if w.busy || w.buf == nil || w.err != nil {
		w.mu.Unlock()
		return
	}
	w.busy = true
	w.run(w.tryWrite)
}

// run writes until nothing waits. It is entered with mu held and busy set, and
// leaves mu unlocked. write returns how much it wrote; when that is not all, the
// rest goes to a goroutine.
func (w *writer) run(write func([]byte) (int, error)) {
	for w.buf != nil && w.err == nil {
		b := w.buf
		w.buf = nil
		w.pending = len(b.b)
		w.mu.Unlock()
		n, err := write(b.b)
		if n < len(b.b) && err == nil {
			w.spawn(func() { w.finish(b, n) })
			return
		}
		putBuffer(b)
		w.mu.Lock()
		w.pending = 0
		if err != nil {
			w.failLocked(err)
		}
	}
	w.busy = false
	w.wakeLocked()
	w.mu.Unlock()
}

// finish writes the rest of b and then whatever came meanwhile, blocking.
func (w *writer) finish(b *buffer, n int) {
	_, err := w.conn.Write(b.b[n:])
	putBuffer(b)
	w.mu.Lock()
	w.pending = 0
	if err != nil {
		w.failLocked(err)
	}
	w.run(w.conn.Write)
}

func (w *writer) failLocked(err error) {
	w.err, w.refuse = err, true
	putBuffer(w.buf)
	w.buf = nil
	w.wakeLocked()
}

func (w *writer) wakeLocked() {
	if w.idle != nil {
		w.idle.Broadcast()
	}
}

// drain waits until everything queued is written or cannot be. The caller ends
// the wait by a write deadline on the connection.
func (w *writer) drain() {
	w.flush()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.idle == nil {
		w.idle = sync.NewCond(&w.mu)
	}
	for w.busy {
		w.idle.Wait()
	}
}

func (w *writer) tryWrite(b []byte) (int, error) {
	if w.raw != nil {
		return w.raw.tryWrite(b)
	}
	if t, ok := w.conn.(TryWriter); ok {
		return t.TryWrite(b)
	}
	return 0, nil
}
