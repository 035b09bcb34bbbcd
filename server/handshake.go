package server

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"siomq/server/engine"
)

// Handshake is what is known of a socket from the HTTP request that opened its
// connection and from its CONNECT packet. It does not change.
type Handshake struct {
	Time time.Time       // when the socket asked for its namespace
	Auth json.RawMessage // the object that the client gave as auth, nil if none

	request *engine.Request
}

// Headers returns the headers of the request that opened the connection. The caller
// owns the result.
func (h *Handshake) Headers() http.Header { return h.request.Header() }

// Query returns the query parameters of that request. The caller owns the result.
func (h *Handshake) Query() url.Values { return h.request.Query() }

// URL returns the request target of that request.
func (h *Handshake) URL() string { return h.request.URI }

// Address returns the client's address, "IP:port".
func (h *Handshake) Address() string { return h.request.RemoteAddr }

// Secure reports whether the connection came over TLS.
func (h *Handshake) Secure() bool { return h.request.TLS != nil }

// Issued returns when the connection was opened.
func (h *Handshake) Issued() time.Time { return h.request.Time }

// BindAuth decodes the auth object into v, by the rules of encoding/json.
// Without one it leaves v alone.
func (h *Handshake) BindAuth(v any) error {
	if h.Auth == nil {
		return nil
	}
	return json.Unmarshal(h.Auth, v)
}
