package engine

// Tests that need to know when a request has reached the session use these:
// nothing outside shows it.

// HasPoll tells whether a GET is open.
func HasPoll(s *Socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.poll != nil
}

// HasPost tells whether a POST is open.
func HasPost(s *Socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.post != nil
}

// Upgrading tells whether a WebSocket for an upgrade is open.
func Upgrading(s *Socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.upgrade != nil
}

// EachPacket is eachPacket, for the fuzz target.
var EachPacket = eachPacket
