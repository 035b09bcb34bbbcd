package ws

// TryWrite writes what the connection takes of p without waiting, and returns how much that was: anything from 0, also
// where nothing can be tried (TLS) or another goroutine writes, to len(p). The caller goes on with the rest of p, by
// TryWrite or Write, before anything else is written: a binary message of the length of p has begun.
func (s *Stream) TryWrite(p []byte) (int, error) {
	if len(p) == 0 || !s.c.CanTry() || !s.writing.TryLock() {
		return 0, nil
	}
	n, err := s.try(p)
	s.writing.Unlock()
	s.pay(s.c.TryWrite)
	return n, err
}

// begun tells whether something must leave before a new frame.
func (s *Stream) begun() bool { return len(s.rest) > 0 || s.owed > 0 }

// sent notes n bytes of rest and of the payload that follows, and returns how many were of the payload.
func (s *Stream) sent(n int) (payload int) {
	k := min(n, len(s.rest))
	if s.rest = s.rest[k:]; len(s.rest) == 0 {
		s.rest = nil
	}
	s.owed -= n - k
	return n - k
}

// try is TryWrite for who holds writing.
func (s *Stream) try(p []byte) (n int, err error) {
	if s.failed != nil {
		return 0, s.failed
	}
	if s.begun() {
		vec := [][]byte{s.rest, p[:min(s.owed, len(p))]}
		n, s.failed = s.c.TryWritev(vec)
		n = s.sent(n)
		if s.failed != nil || s.begun() || n == len(p) {
			return n, s.failed
		}
	}
	m, err := s.tryFrame(p[n:])
	return n + m, err
}

// tryFrame begins a frame, and notes what did not leave.
func (s *Stream) tryFrame(p []byte) (n int, err error) {
	head := HeaderLen(len(p))
	size := smallSize
	if head+len(p) <= bufferSize {
		size = bufferSize
	}
	buf := shared.get(size)
	defer shared.put(buf)
	PutHeader(buf.b, Binary, len(p))
	if size == bufferSize {
		n, err = s.c.TryWrite(buf.b[:head+copy(buf.b[head:], p)])
	} else {
		n, err = s.c.TryWritev([][]byte{buf.b[:head], p})
	}
	if s.failed = err; n == 0 {
		return 0, err
	}
	if n < head {
		s.rest = append([]byte(nil), buf.b[n:head]...)
	}
	s.owed = len(p) - max(0, n-head)
	return max(0, n-head), err
}
