package ws

import "net/http"

// UpgradeOptions are the settings of one Upgrade. The zero value works.
type UpgradeOptions struct {
	// Subprotocols are those the server speaks, the preferred first. The first that the client offers too is chosen.
	Subprotocols []string
	// RequireSubprotocol refuses (400) a client that offers none of Subprotocols.
	RequireSubprotocol bool
	// Header is added to the 101 response, after what w.Header() holds (cookies, CORS). The fields of the handshake itself are
	// left out.
	Header http.Header
	// MaxMessage is the largest message accepted, in bytes, all fragments together. A longer one ends the connection with
	// CodeTooBig as soon as its length is known. 0 means 1 MiB, negative means no limit: a peer can then fill the memory.
	MaxMessage int
}

// Upgrade does the server's part of the opening handshake, RFC 6455 section 4.2, and takes the connection over from
// net/http, with bytes that the client sent too early. On failure the HTTP error has been written and the error is a
// *HandshakeError, or the connection's own error after it has been taken over (it is closed then). It does not look at
// Origin. Neither r nor w are kept: the handler should return soon, for net/http holds its own memory until then.
func Upgrade(w http.ResponseWriter, r *http.Request, o *UpgradeOptions) (*Conn, error) { panic("not yet") }
