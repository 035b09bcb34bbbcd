package engine

import "time"

// phase is what a session's timer waits for. Section "Heartbeat".
type phase uint8

const (
	phaseIdle    phase = iota // until the next ping
	phasePong                 // for the answer to a ping
	phaseOverdue              // until the next ping; the answer to the last one could not be read
	phaseClient               // for a ping of the client, which it sends in revision 3
	phaseClosing              // for the client to take what was queued before Close
)

// armLocked starts phase p, of length d.
func (s *Socket) armLocked(p phase, d time.Duration) {
	s.phase = p
	s.pinged.Store(p == phasePong || p == phaseOverdue || p == phaseClient)
	s.due = s.srv.now() + d
	if s.timer == nil {
		s.timer = time.AfterFunc(d, s.onTimer)
	} else {
		s.timer.Reset(d)
	}
}

// onTimer runs in a goroutine of its own.
func (s *Socket) onTimer() {
	s.mu.Lock()
	now := s.srv.now()
	if s.state.Load() == stateClosed {
		s.mu.Unlock()
		return
	}
	if now < s.due { // armed again while this call was on its way
		s.timer.Reset(s.due - now)
		s.mu.Unlock()
		return
	}
	interval, timeout := s.srv.opts.PingInterval, s.srv.opts.PingTimeout
	switch s.phase {
	case phaseIdle, phaseOverdue:
		s.pingLocked()
	case phasePong:
		end := time.Duration(s.lastBusy.Load()) + timeout
		switch {
		case s.busy.Load() && interval > timeout:
			// The handler keeps the pong from being read. The client, which knows
			// nothing of that, expects the next ping after the usual time.
			s.armLocked(phaseOverdue, interval-timeout)
		case s.busy.Load():
			s.pingLocked()
		case end > now && !s.graced:
			// The handler kept it from being read until a moment ago.
			s.graced = true
			s.armLocked(phasePong, end-now)
		default:
			s.mu.Unlock()
			s.end(ending{reason: PingTimeout, err: errNoPong, frame: closeFrame})
			return
		}
	case phaseClient:
		end := time.Duration(s.lastBusy.Load()) + timeout
		switch {
		case s.busy.Load():
			s.armLocked(phaseClient, timeout)
		case end > now && !s.graced:
			s.graced = true
			s.armLocked(phaseClient, end-now)
		default:
			s.mu.Unlock()
			s.end(ending{reason: PingTimeout, err: errNoPing, frame: closeFrame})
			return
		}
	case phaseClosing:
		s.mu.Unlock()
		s.end(ending{err: errCloseTimeout})
		return
	}
	s.mu.Unlock()
	s.Flush()
}

func (s *Socket) pingLocked() {
	s.pushLocked(pingMessage)
	s.graced = false
	// The time for the pong counts from when the ping was due, so that a session
	// ends when its client expects it to; but a server that was stalled does not
	// hold that against its clients.
	wait := s.srv.opts.PingTimeout
	if late := s.srv.now() - s.due; late < wait/4 {
		wait -= late
	}
	s.armLocked(phasePong, wait)
}

// expire ends the session if its time is over and its timer is late.
func (s *Socket) expire() {
	s.mu.Lock()
	over := (s.phase == phasePong || s.phase == phaseClient) && s.srv.now() >= s.due
	s.mu.Unlock()
	if over {
		s.onTimer()
	}
}

// onPong handles a pong. One that answers no ping is ignored: the protocol does
// not forbid it, and it must not put off the next ping.
func (s *Socket) onPong() {
	if !s.pinged.Load() {
		return
	}
	s.mu.Lock()
	if s.state.Load() == stateOpen && (s.phase == phasePong || s.phase == phaseOverdue) {
		s.armLocked(phaseIdle, s.srv.opts.PingInterval)
	}
	s.mu.Unlock()
}
