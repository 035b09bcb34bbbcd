package engine

import "net/http"

// Server is an http.Handler that speaks Engine.IO on whatever path it is
// mounted at.
type Server struct{}

// New makes a server. accept is called for each new session, before any message
// of it is handled; it may already send, and the client receives that after the
// "open" packet. It may block, which delays that session only. When it returns
// nil, the session is closed. o may be nil.
func New(o *Options, accept func(*Socket) Handler) (*Server, error) { panic("TODO") }

// ServeHTTP handles every request of the protocol, whatever its path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("TODO") }

// Len is the number of open sessions.
func (s *Server) Len() int { panic("TODO") }

// Close closes all sessions (reason ForcedClose) after writing what their
// connections take at once, refuses new ones, and waits for all goroutines,
// calls of Handler included. It must not be called from a Handler.
func (s *Server) Close() { panic("TODO") }

// Stats returns the counters of the server since New.
func (s *Server) Stats() Stats { panic("TODO") }
