package engine

import (
	"net/http"
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

	// Transports that clients may use. Default Polling and WebSocket.
	Transports []string
	// DisableUpgrades keeps sessions on the transport they were opened with.
	DisableUpgrades bool

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

	// Logger receives what no caller can be told. Nil is silent.
	Logger *zap.Logger
}

// CORS says which pages of other origins may use the server
// (https://fetch.spec.whatwg.org/#http-cors-protocol).
type CORS struct {
	// Origins that are allowed, such as "https://example.com"; "*" allows all.
	// Browsers send no cookies to a server that answers "*".
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
