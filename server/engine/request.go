package engine

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Request is what is kept of the HTTP request that opened a session. Headers
// and query are kept in a compact form, which matters with many idle sessions,
// and are decoded by each call that asks for them.
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

	headers string // lines of name, colon, value, line feed
}

func (r *Request) init(hr *http.Request, protocol int) {
	uri := hr.RequestURI
	if uri == "" {
		uri = hr.URL.RequestURI()
	}
	*r = Request{
		Host:       strings.Clone(hr.Host),
		RemoteAddr: hr.RemoteAddr,
		URI:        strings.Clone(uri),
		Time:       time.Now(),
		TLS:        hr.TLS,
		Protocol:   protocol,
		headers:    packHeaders(hr.Header),
	}
}

// packHeaders makes one string of the headers, which takes a third of the
// memory of the map. A name has no colon and a value no line feed (RFC 9110
// section 5.5; net/http has checked that).
func packHeaders(h http.Header) string {
	size := 0
	for name, values := range h {
		for _, v := range values {
			size += len(name) + len(v) + 2
		}
	}
	var b strings.Builder
	b.Grow(size)
	for name, values := range h {
		for _, v := range values {
			b.WriteString(name)
			b.WriteByte(':')
			b.WriteString(v)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// Header returns the headers of the request. The caller owns the result.
func (r *Request) Header() http.Header {
	h := make(http.Header)
	for line := range strings.Lines(r.headers) {
		if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":"); ok {
			h[name] = append(h[name], value)
		}
	}
	return h
}

// Get returns the first value of one header, "" when there is none.
func (r *Request) Get(name string) string {
	name = http.CanonicalHeaderKey(name)
	for line := range strings.Lines(r.headers) {
		if n, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":"); ok && n == name {
			return value
		}
	}
	return ""
}

// URL returns the parsed request target. The caller owns the result.
func (r *Request) URL() *url.URL {
	u, err := url.ParseRequestURI(r.URI)
	if err != nil {
		return &url.URL{}
	}
	return u
}

// Query returns the query parameters. The caller owns the result.
func (r *Request) Query() url.Values { return r.URL().Query() }
