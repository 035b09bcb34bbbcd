package engine

import "errors"

const (
	// maxBatch is how many bytes are copied together for one write.
	maxBatch = 32 << 10
	// maxCopied: a message of this many bytes is written from where it lies.
	maxCopied = 8 << 10
	// maxRounds is how many writes one Flush makes before it leaves the queue to
	// the writer goroutine, since its caller has other things to do.
	maxRounds = 16
	// maxKeptQueue is the longest queue that is kept for the next messages.
	maxKeptQueue = 32
	// lagging is how many bytes may wait for a connection without nonblocking
	// writes (TLS) until volatile messages are dropped.
	lagging = 64 << 10
)

// Enqueue appends m to the queue and does not write: Flush does. It never
// blocks. It returns ErrClosed when the session is closing or closed, and
// ErrQueueFull, closing the session, when the queue would be over MaxQueue.
func (s *Socket) Enqueue(m *Message) error {
	s.mu.Lock()
	m = s.formLocked(m)
	err := s.enqueueLocked(m)
	s.mu.Unlock()
	if errors.Is(err, ErrQueueFull) {
		s.srv.stats.queueFull.Add(1)
		s.end(ending{reason: TransportError, err: ErrQueueFull})
	}
	return err
}

// EnqueueVolatile is Enqueue for a message that may be lost: when the transport
// could not take it now (no poll is open, or earlier bytes still wait for the
// connection) it is dropped and counted, and the result is nil.
func (s *Socket) EnqueueVolatile(m *Message) error {
	s.mu.Lock()
	if s.state.Load() == stateOpen && !s.readyLocked() {
		s.mu.Unlock()
		s.srv.stats.droppedVolatile.Add(1)
		return nil
	}
	s.mu.Unlock()
	return s.Enqueue(m)
}

// Send is Enqueue and Flush.
func (s *Socket) Send(m *Message) error {
	if err := s.Enqueue(m); err != nil {
		return err
	}
	s.Flush()
	return nil
}

// SendVolatile is EnqueueVolatile and Flush.
func (s *Socket) SendVolatile(m *Message) error {
	if err := s.EnqueueVolatile(m); err != nil {
		return err
	}
	s.Flush()
	return nil
}

func (s *Socket) enqueueLocked(m *Message) error {
	if s.state.Load() != stateOpen {
		return ErrClosed
	}
	if s.queued > 0 && s.queued+len(m.ws) > s.srv.opts.MaxQueue {
		return ErrQueueFull
	}
	s.pushLocked(m)
	return nil
}

// pushLocked appends m whatever the state and the limit.
func (s *Socket) pushLocked(m *Message) {
	if s.head > maxKeptQueue && s.head > len(s.queue)/2 {
		n := copy(s.queue, s.queue[s.head:])
		clear(s.queue[n:])
		s.queue, s.head = s.queue[:n], 0
	}
	s.queue = append(s.queue, m)
	s.queued += len(m.ws)
}

// popLocked removes n messages from the front.
func (s *Socket) popLocked(n int) {
	taken := s.queue[s.head : s.head+n]
	sent := uint64(0)
	for i, m := range taken {
		if !m.control {
			sent++
		}
		taken[i] = nil
	}
	s.srv.stats.messagesOut.Add(sent)
	if s.head += n; s.head == len(s.queue) {
		s.resetQueueLocked()
	}
}

func (s *Socket) resetQueueLocked() {
	s.head = 0
	if s.queue = s.queue[:0]; cap(s.queue) > maxKeptQueue {
		s.queue = s.inline[:0]
	}
}

// dropLocked empties the queue of a session that is over.
func (s *Socket) dropLocked() {
	clear(s.queue)
	s.resetQueueLocked()
	s.queued = 0
}

func (s *Socket) emptyLocked() bool { return s.head == len(s.queue) }

// readyLocked tells whether the transport would take a message now.
func (s *Socket) readyLocked() bool {
	switch {
	case s.conn == nil:
		return s.poll != nil
	case s.conn.CanTry():
		return !s.blocked
	default:
		return s.queued < lagging
	}
}

// Flush writes what is queued, or leaves it to the goroutine that is writing.
// It never blocks.
func (s *Socket) Flush() {
	s.mu.Lock()
	if s.conn == nil {
		if s.poll != nil && !s.emptyLocked() {
			s.poll.signal()
		}
		s.mu.Unlock()
		return
	}
	if s.writing || s.emptyLocked() {
		s.mu.Unlock()
		return
	}
	s.writing = true
	if !s.conn.CanTry() {
		s.startWriterLocked(nil, nil)
		s.mu.Unlock()
		return
	}
	s.tryLocked()
}

// tryLocked writes what the connection takes at once. It is called with mu and
// writing held and gives both back.
func (s *Socket) tryLocked() {
	conn := s.conn
	var buf *[]byte
	for range maxRounds {
		b := s.takeLocked(&buf)
		s.mu.Unlock()
		n, err := conn.TryWrite(b)
		s.srv.stats.bytesOut.Add(uint64(n))
		s.mu.Lock()
		s.queued -= n
		if err != nil {
			s.failedLocked(buf, err)
			return
		}
		if n < len(b) {
			s.blocked = true
			s.startWriterLocked(b[n:], buf)
			s.mu.Unlock()
			return
		}
		if s.emptyLocked() {
			s.drainedLocked(buf)
			return
		}
	}
	s.startWriterLocked(nil, buf)
	s.mu.Unlock()
}

// startWriterLocked hands writing, the bytes that are left of a write, and the
// buffer they may lie in to a goroutine. Whoever calls it has a place in
// Server.wg, or the session still has its own.
func (s *Socket) startWriterLocked(rest []byte, buf *[]byte) {
	s.srv.wg.Add(1)
	go s.writeAll(s.conn, rest, buf)
}

// writeAll writes until the queue is empty. It ends when the connection is
// closed, at the latest.
func (s *Socket) writeAll(conn link, rest []byte, buf *[]byte) {
	defer s.srv.wg.Done()
	for {
		n, err := conn.Write(rest)
		s.srv.stats.bytesOut.Add(uint64(n))
		s.mu.Lock()
		s.queued -= n
		if err != nil {
			s.failedLocked(buf, err)
			return
		}
		if s.emptyLocked() {
			s.drainedLocked(buf)
			return
		}
		rest = s.takeLocked(&buf)
		s.mu.Unlock()
	}
}

// takeLocked removes from the queue, which is not empty, what leaves in the
// next write: one large message as it is, or small ones copied into *buf.
func (s *Socket) takeLocked(buf **[]byte) []byte {
	queue := s.queue[s.head:]
	if first := queue[0].ws; len(queue) == 1 || len(first) >= maxCopied {
		s.popLocked(1)
		return first
	}
	if *buf == nil {
		*buf = s.srv.getBuffer()
	}
	b, n := (**buf)[:0], 0
	for _, m := range queue {
		if len(m.ws) >= maxCopied || len(b)+len(m.ws) > maxBatch {
			break
		}
		b = append(b, m.ws...)
		n++
	}
	s.popLocked(n)
	**buf = b
	return b
}

// drainedLocked gives back mu and writing when everything is written.
func (s *Socket) drainedLocked(buf *[]byte) {
	s.writing, s.blocked = false, false
	st := s.state.Load()
	s.mu.Unlock()
	s.srv.putBuffer(buf)
	switch st {
	case stateClosing: // the last frame was closeFrame
		s.end(ending{framed: true})
	case stateClosed:
		s.settle()
	}
}

// failedLocked is drainedLocked after an error of the connection.
func (s *Socket) failedLocked(buf *[]byte, err error) {
	s.dropLocked()
	s.writing, s.blocked = false, false
	s.mu.Unlock()
	s.srv.putBuffer(buf)
	if !s.end(ending{reason: TransportError, err: err}) {
		s.closeConn()
	}
}

// endConn ends the WebSocket of a session that is over.
func (s *Socket) endConn(conn link, e ending) {
	if e.frame == nil && !e.framed {
		_ = conn.Close()
		return
	}
	// Closing a connection with bytes that nobody has read resets it, and the
	// client could lose the last messages. So its reader goes on until the client
	// has answered the close frame.
	s.srv.linger(s, conn)
	s.Flush()
	s.settle()
}

// settle closes the WebSocket of a session that is over once both directions
// are done with it.
func (s *Socket) settle() {
	s.mu.Lock()
	done := s.state.Load() == stateClosed && s.readDone && !s.writing && s.emptyLocked()
	s.mu.Unlock()
	if done {
		s.closeConn()
	}
}

func (s *Socket) closeConn() {
	_ = s.conn.Close()
	s.srv.lingered(s)
}
