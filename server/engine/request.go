package engine

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"time"
)

// Request is what is kept of the HTTP request that opened a session. Headers
// and query are kept in a compact form and decoded by each call that asks for
// them.
type Request struct {
	// Host, as the client named it.
	Host string
	// RemoteAddr is the address of the client, "IP:port".
	RemoteAddr string
	// URI is the request target: path and raw query.
	URI string
	// Time of the handshake.
	Time time.Time
	// TLS is the state of an encrypted connection, nil otherwise.
	TLS *tls.ConnectionState
	// Protocol is the revision of Engine.IO, from the EIO query parameter.
	Protocol int

	headers string
}

// Header returns the headers of the request. The caller owns the result.
func (r *Request) Header() http.Header { panic("TODO") }

// Get returns the first value of one header, by its canonical name.
func (r *Request) Get(name string) string { panic("TODO") }

// URL returns the parsed request target. The caller owns the result.
func (r *Request) URL() *url.URL { panic("TODO") }

// Query returns the query parameters. The caller owns the result.
func (r *Request) Query() url.Values { panic("TODO") }
