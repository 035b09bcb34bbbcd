package engine

import "net/http"

// OriginAllowed reports whether a page of the request's Origin may open a
// WebSocket here, by Options.CheckOrigin or its default. It is for other WebSockets of the
// same HTTP server, which should not be open to more pages than this one.
func (s *Server) OriginAllowed(r *http.Request) bool { return s.originAllowed(r) }
