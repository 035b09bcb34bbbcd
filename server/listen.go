package server

import (
	"slices"
	"sync/atomic"
)

// On adds a listener for an event. Listeners are called in the order in which
// they were added.
func (s *Socket) On(event string, fn func(*Event)) *Listener {
	l := &Listener{fn: fn, remove: func(l *Listener) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.listeners.removeFrom(event, l)
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners.add(event, l)
	return l
}

// Once adds a listener that is removed when it is called.
func (s *Socket) Once(event string, fn func(*Event)) *Listener {
	var l *Listener
	var called atomic.Bool
	l = s.On(event, func(e *Event) {
		if called.CompareAndSwap(false, true) {
			l.Remove()
			fn(e)
		}
	})
	return l
}

// OnAny adds a listener for every event that the client emits. It is called
// before the listeners of the event itself.
func (s *Socket) OnAny(fn func(*Event)) *Listener {
	l := &Listener{fn: fn, remove: func(l *Listener) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.listeners.any = without(s.listeners.any, l)
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners.any = append(slices.Clip(s.listeners.any), l)
	return l
}

// OnAnyOutgoing adds a listener for every event sent to the client, broadcasts
// included. It is called by the goroutine that emits, before the event is written, and must not
// block; the Event has a name and arguments and wants no acknowledgement.
func (s *Socket) OnAnyOutgoing(fn func(*Event)) *Listener {
	l := &Listener{fn: fn, remove: func(l *Listener) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.outgoing = without(s.outgoing, l)
		s.watched.Store(len(s.outgoing) > 0)
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outgoing = append(slices.Clip(s.outgoing), l)
	s.watched.Store(true)
	return l
}

// Use adds a middleware for incoming events. They run in the order in which
// they were added, before any listener; an error keeps the event from them and
// goes to OnError functions.
func (s *Socket) Use(fn func(*Event) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.middleware = append(slices.Clip(s.middleware), fn)
	s.interceptor.Store(true)
}

// OnError adds a function that is called with the error by which a middleware of
// this socket refused an event.
func (s *Socket) OnError(fn func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(slices.Clip(s.failed), fn)
}

// RemoveAllListeners removes the listeners of these events; without events, those of all
// events and the catch-all ones.
func (s *Socket) RemoveAllListeners(events ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(events) == 0 {
		s.listeners = listeners{}
	}
	for _, event := range events {
		delete(s.listeners.byEvent, event)
	}
}

// OnDisconnect adds a function that is called once when the socket has
// disconnected and left its rooms, after all its events have been handled. The reason is one that
// Socket.IO documents for the server: "client namespace disconnect", "server
// namespace disconnect", "server shutting down", "ping timeout", "transport
// close", "transport error", "parse error", "forced close", "forced server close".
func (s *Socket) OnDisconnect(fn func(reason string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = append(slices.Clip(s.gone), fn)
}

// OnDisconnecting is like OnDisconnect, but runs first, while Rooms still
// returns the rooms the socket was in.
func (s *Socket) OnDisconnecting(fn func(reason string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = append(slices.Clip(s.leaving), fn)
}
