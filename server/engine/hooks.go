package engine

import "net/http"

// ConnectionError is a request that was refused, see Options.OnConnectionError.
type ConnectionError struct {
	Request *http.Request
	Code    int    // 0 to 5, as the client is told
	Message string // the text of Code
	// Context says more, under the names of the reference implementation: transport, sid,
	// method, name, message, protocol and others.
	Context map[string]any
}

// Error returns the message.
func (e *ConnectionError) Error() string { return e.Message }

// reject refuses a request that opens no session or belongs to none, and tells
// Options.OnConnectionError.
func (s *Server) reject(w http.ResponseWriter, r *http.Request, code int, context map[string]any) {
	if s.opts.OnConnectionError != nil {
		s.opts.OnConnectionError(&ConnectionError{Request: r, Code: code, Message: refusals[code], Context: context})
	}
	message := refusals[code]
	if text, ok := context["message"].(string); ok {
		message = text
	}
	s.refuseWith(w, code, message)
}

// rejectUnknown refuses a request of a session that is not there.
func (s *Server) rejectUnknown(req *request) {
	s.reject(req.w, req.r, codeUnknownSID, map[string]any{"sid": req.sid})
}

// rejectMismatch refuses a request on a transport that the session is not on.
func (s *Server) rejectMismatch(req *request, current string) {
	s.reject(req.w, req.r, codeBadRequest, map[string]any{
		"name": "TRANSPORT_MISMATCH", "transport": req.transport, "previousTransport": current,
	})
}

// addHeaders lets the options add headers to a response. The first response of a
// session is that to a request without a session id.
func (s *Server) addHeaders(h http.Header, r *http.Request) {
	if s.opts.InitialHeaders != nil && r.URL.Query().Get("sid") == "" {
		s.opts.InitialHeaders(h, r)
	}
	if s.opts.Headers != nil {
		s.opts.Headers(h, r)
	}
}
