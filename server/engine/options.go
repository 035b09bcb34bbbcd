package engine

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"
)

// Names of the transports, as in the transport query parameter.
const (
	Polling   = "polling"
	WebSocket = "websocket"
)

// Options of a Server. The zero value works. New copies what it is given.
type Options struct {
	// PingInterval is the time between a pong and the next ping. Default 25 s.
	PingInterval time.Duration
	// PingTimeout is the time a client has to answer a ping. Default 20 s.
	PingTimeout time.Duration
	// UpgradeTimeout is the time a client has to complete an upgrade once its
	// WebSocket is open. Default 10 s.
	UpgradeTimeout time.Duration
	// CloseTimeout bounds the wait for a client that neither reads what was
	// queued before Socket.Close nor answers the close. Default 30 s.
	CloseTimeout time.Duration

	// MaxPayload is the most bytes a client may send in one request body or one
	// WebSocket message, and is announced to it. Default 1,000,000.
	MaxPayload int
	// MaxQueue is the most bytes that may wait for one client. A client over it
	// is closed. A message that finds the queue empty is taken whatever its
	// size. Default 16 MiB.
	MaxQueue int

	// PerMessageDeflate compresses large messages for WebSocket clients that can
	// take it. It costs time for each message and up to a megabyte for each core.
	// Nil: off.
	PerMessageDeflate *PerMessageDeflate
	// HTTPCompression compresses large polling responses for clients that accept
	// it. Nil: on, with its defaults.
	HTTPCompression *HTTPCompression

	// Transports that clients may use. Default Polling and WebSocket. WebTransport
	// also needs somebody who serves it: see package webtransport.
	Transports []string
	// DisableUpgrades keeps sessions on the transport they were opened with.
	DisableUpgrades bool

	// AllowEIO3 lets clients in that speak revision 3 of the protocol, that of
	// Socket.IO 2.x. They send the pings themselves. Such a client takes the id of
	// its session for the id of its socket, which an application may show to others:
	// whoever learns it can send in that session's name. Leave it off without such clients.
	AllowEIO3 bool

	// AllowRequest decides about each request that would open a session. An
	// error refuses it with error code 4 and status 403; the error's text is
	// sent to the client as the message. Nil allows all. It may block.
	AllowRequest func(*http.Request) error
	// CheckOrigin decides whether a page of the request's Origin may open a
	// WebSocket. Nil allows requests without Origin, those of the same host
	// (Host or X-Forwarded-Host), and those that CORS allows. Browsers do not
	// apply CORS to WebSocket: a function that always says yes lets every page
	// on the web connect with the cookies of its visitor.
	CheckOrigin func(*http.Request) bool
	// CORS says which other origins may use polling. Nil: none.
	CORS *CORS
	// Cookie, when set, is sent with the answer that opens a session; its value
	// is the session id, for load balancers that keep a session on one server.
	Cookie *Cookie
	// NewID makes session ids, which must be unique, hard to guess and fit for a
	// URL query. An error refuses the request with error code 3. Default:
	// 20 characters of base64url from 15 random bytes.
	NewID func(*http.Request) (string, error)

	// OnConnectionError is told of each request that is refused: see ConnectionError. It
	// may block, which delays the answer.
	OnConnectionError func(*ConnectionError)
	// InitialHeaders may add to the headers of the first response of a session,
	// the answer to its handshake, of either transport.
	InitialHeaders func(h http.Header, r *http.Request)
	// Headers may add to the headers of every response of a session, the one to
	// a WebSocket handshake included. It comes after InitialHeaders.
	Headers func(h http.Header, r *http.Request)

	// Logger receives what no caller can be told. Nil is silent.
	Logger *zap.Logger
}

// CORS says which pages of other origins may use the server
// (https://fetch.spec.whatwg.org/#http-cors-protocol).
type CORS struct {
	// Origins that are allowed, such as "https://example.com"; "*" allows all.
	// Browsers send no cookies to a server that answers "*", but for polling by scripts (JSONP), where
	// they do what the SameSite attribute of the cookie says.
	Origins []string
	// AllowOrigin decides in place of Origins when set.
	AllowOrigin func(origin string) bool
	// Credentials allows cookies and HTTP authentication.
	Credentials bool
	// Methods allowed in a preflight. Default GET, HEAD, PUT, PATCH, POST, DELETE.
	Methods []string
	// AllowedHeaders of requests. Default: those that the preflight asks for.
	AllowedHeaders []string
	// ExposedHeaders of responses.
	ExposedHeaders []string
	// MaxAge is how long a preflight may be cached. 0 says nothing about it.
	MaxAge time.Duration
}

// Cookie describes the cookie that carries the session id.
type Cookie struct {
	// Name of the cookie. Default "io".
	Name string
	// Path of the cookie. Default "/".
	Path string
	// Domain of the cookie. Default: the host, without its subdomains.
	Domain string
	// MaxAge of the cookie. 0: until the browser is closed.
	MaxAge time.Duration
	// Secure restricts the cookie to HTTPS.
	Secure bool
	// SameSite of the cookie. Default http.SameSiteLaxMode.
	SameSite http.SameSite
	// VisibleToScripts drops the HttpOnly attribute.
	VisibleToScripts bool
}

// withDefaults returns a checked copy of o with every default filled in.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	for _, d := range []struct {
		name     string
		value    *time.Duration
		fallback time.Duration
	}{
		{"PingInterval", &c.PingInterval, 25 * time.Second},
		{"PingTimeout", &c.PingTimeout, 20 * time.Second},
		{"UpgradeTimeout", &c.UpgradeTimeout, 10 * time.Second},
		{"CloseTimeout", &c.CloseTimeout, 30 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
		// Clients are told the times in milliseconds.
		if *d.value < time.Millisecond {
			return c, fmt.Errorf("engine: option %s: %v is less than a millisecond", d.name, *d.value)
		}
	}
	for _, n := range []struct {
		name     string
		value    *int
		fallback int
	}{
		{"MaxPayload", &c.MaxPayload, 1_000_000},
		{"MaxQueue", &c.MaxQueue, 16 << 20},
	} {
		if *n.value == 0 {
			*n.value = n.fallback
		}
		if *n.value < 0 {
			return c, fmt.Errorf("engine: option %s: %d is negative", n.name, *n.value)
		}
	}
	if len(c.Transports) == 0 {
		c.Transports = []string{Polling, WebSocket}
	}
	c.Transports = slices.Clone(c.Transports)
	for _, t := range c.Transports {
		if t != Polling && t != WebSocket && t != WebTransport {
			return c, fmt.Errorf("engine: option Transports: unknown transport %q", t)
		}
	}
	if c.NewID == nil {
		c.NewID = newID
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	c.Cookie = c.Cookie.withDefaults()
	c.CORS = c.CORS.withDefaults()
	var err error
	if c.PerMessageDeflate, err = c.PerMessageDeflate.withDefaults(); err != nil {
		return c, err
	}
	c.HTTPCompression, err = c.HTTPCompression.withDefaults()
	return c, err
}

func (c *Cookie) withDefaults() *Cookie {
	if c == nil {
		return nil
	}
	d := *c
	if d.Name == "" {
		d.Name = "io"
	}
	if d.Path == "" {
		d.Path = "/"
	}
	if d.SameSite == 0 {
		d.SameSite = http.SameSiteLaxMode
	}
	return &d
}

// header returns the value of the Set-Cookie header for a session.
func (c *Cookie) header(id string) string {
	hc := http.Cookie{
		Name: c.Name, Value: id, Path: c.Path, Domain: c.Domain,
		MaxAge: int(c.MaxAge / time.Second), Secure: c.Secure,
		HttpOnly: !c.VisibleToScripts, SameSite: c.SameSite,
	}
	return hc.String()
}

// newID makes an id of 120 random bits.
func newID(*http.Request) (string, error) {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}
