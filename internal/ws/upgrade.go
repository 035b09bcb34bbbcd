package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

// acceptGUID is the constant of RFC 6455 section 4.2.2.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// defaultMaxMessage is MaxMessage when it is 0, in bytes.
const defaultMaxMessage = 1 << 20

// answerTimeout bounds the writing of the 101 response, which fits into the send buffer of any live connection.
const answerTimeout = 10 * time.Second

// UpgradeOptions are the settings of one Upgrade. The zero value works.
type UpgradeOptions struct {
	// Subprotocols are those the server speaks, the preferred first. The first that the client offers too is chosen.
	Subprotocols []string
	// RequireSubprotocol refuses (400) a client that offers none of Subprotocols.
	RequireSubprotocol bool
	// Header is added to the 101 response, after what w.Header() holds (cookies, CORS). The fields of the handshake itself are
	// left out, and so are fields whose name is no token; line ends in values become spaces.
	Header http.Header
	// MaxMessage is the largest message accepted, in bytes, all fragments together. A longer one ends the connection with
	// CodeTooBig as soon as its length is known. 0 means 1 MiB, negative means no limit: a peer can then fill the memory.
	MaxMessage int
	// Compression agrees to permessage-deflate (RFC 7692) when the client offers it. Messages of the client may then be
	// compressed, with MaxMessage for what they inflate to; what is written may be made by AppendCompressedFrame where
	// TakesCompressed allows it. Neither side keeps its window from one message to the next. Not for NewStream.
	Compression bool
}

// Upgrade does the server's part of the opening handshake, RFC 6455 section 4.2, and takes the connection over from
// net/http, with bytes that the client sent too early. On failure the HTTP error has been written and the error is a
// *HandshakeError, or the connection's own error after it has been taken over (it is closed then). It does not look at
// Origin. Neither r nor w are kept: the handler should return soon, for net/http holds its own memory until then.
// It blocks for at most ten seconds, when the connection does not take the response. o may be nil.
func Upgrade(w http.ResponseWriter, r *http.Request, o *UpgradeOptions) (*Conn, error) {
	if o == nil {
		o = &UpgradeOptions{}
	}
	subprotocol := choose(o.Subprotocols, r.Header["Sec-Websocket-Protocol"])
	refusal := check(r)
	if refusal == nil && o.RequireSubprotocol && subprotocol == "" {
		refusal = &HandshakeError{http.StatusBadRequest, "none of the subprotocols offered is spoken here"}
	}
	var agreed agreement
	if refusal == nil && o.Compression {
		var malformed bool
		if agreed, malformed = negotiate(r.Header["Sec-Websocket-Extensions"]); malformed {
			refusal = &HandshakeError{http.StatusBadRequest, "header Sec-WebSocket-Extensions is malformed"}
		}
	}
	if refusal != nil {
		return nil, refuse(w, refusal)
	}
	added := w.Header()
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, refuse(w, &HandshakeError{http.StatusNotImplemented, "this connection cannot be taken over"})
	}
	var early []byte
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ = rw.Reader.Peek(n) // cannot fail: n bytes are there
	}
	limit := int64(o.MaxMessage)
	if limit == 0 {
		limit = defaultMaxMessage
	}
	c := newConn(nc, &shared, limit, early)
	c.subprotocol, c.agreed = subprotocol, agreed
	if err := answer(nc, r.Header.Get("Sec-Websocket-Key"), c, added, o.Header); err != nil {
		c.in.r = c.in.w
		c.in.park()
		return nil, errors.Join(err, nc.Close())
	}
	return c, nil
}

// check finds what is wrong with the request, RFC 6455 section 4.2.1.
func check(r *http.Request) *HandshakeError {
	switch {
	case r.Method != http.MethodGet:
		return &HandshakeError{http.StatusMethodNotAllowed, "method is not GET"}
	case !r.ProtoAtLeast(1, 1) || r.ProtoMajor != 1:
		return &HandshakeError{http.StatusBadRequest, "protocol is not HTTP/1.1"}
	case !hasToken(r.Header["Upgrade"], "websocket"):
		return &HandshakeError{http.StatusUpgradeRequired, "header Upgrade does not name websocket"}
	case !hasToken(r.Header["Connection"], "upgrade"):
		return &HandshakeError{http.StatusBadRequest, "header Connection does not name Upgrade"}
	case len(r.Header["Sec-Websocket-Version"]) != 1 || r.Header.Get("Sec-Websocket-Version") != "13":
		return &HandshakeError{http.StatusUpgradeRequired, "header Sec-WebSocket-Version is not 13"}
	case !validKey(r.Header["Sec-Websocket-Key"]):
		return &HandshakeError{http.StatusBadRequest, "header Sec-WebSocket-Key is not one base64 value of 16 bytes"}
	case r.ContentLength != 0:
		return &HandshakeError{http.StatusBadRequest, "request has a body"} // it would be read as frames
	}
	return nil
}

// refuse writes the HTTP error.
func refuse(w http.ResponseWriter, e *HandshakeError) error {
	switch e.Status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodGet)
	case http.StatusUpgradeRequired:
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-Websocket-Version", "13")
	}
	http.Error(w, "WebSocket: "+e.Reason, e.Status)
	return e
}

// answer writes the 101 response, in one write.
func answer(nc net.Conn, key string, c *Conn, headers ...http.Header) error {
	if err := nc.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	buf := shared.get(bufferSize)
	b := append(buf.b[:0], "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = appendAccept(b, key)
	if c.subprotocol != "" {
		b = append(append(b, "\r\nSec-WebSocket-Protocol: "...), c.subprotocol...)
	}
	b = c.agreed.appendTo(b)
	b = append(b, "\r\n"...)
	for _, h := range headers {
		b = appendHeaders(b, h)
	}
	b = append(b, "\r\n"...)
	_, err := nc.Write(b)
	shared.put(buf)
	if err != nil {
		return err
	}
	return nc.SetDeadline(time.Time{}) // also what net/http may have set
}

// appendAccept appends the value of Sec-WebSocket-Accept, RFC 6455 section 4.2.2 item 5.4.
func appendAccept(dst []byte, key string) []byte {
	var room [24 + len(acceptGUID)]byte
	sum := sha1.Sum(append(append(room[:0], key...), acceptGUID...))
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// appendHeaders appends the fields of h that are not the handshake's own.
func appendHeaders(dst []byte, h http.Header) []byte {
	for name, values := range h {
		switch http.CanonicalHeaderKey(name) {
		case "Upgrade", "Connection", "Sec-Websocket-Accept", "Sec-Websocket-Protocol", "Sec-Websocket-Extensions",
			"Content-Length", "Transfer-Encoding":
			continue
		}
		if !isToken(name) {
			continue
		}
		for _, v := range values {
			dst = append(append(dst, name...), ": "...)
			for _, b := range []byte(v) {
				if b == '\r' || b == '\n' {
					b = ' '
				}
				dst = append(dst, b)
			}
			dst = append(dst, "\r\n"...)
		}
	}
	return dst
}

// isToken tells whether s may be a field name, RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for _, b := range []byte(s) {
		alnum := b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", b) < 0 {
			return false
		}
	}
	return s != ""
}

// hasToken looks for a token in a header that is a list, in whatever case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(t, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// choose returns the first of ours that the client offers, or "".
func choose(ours, offered []string) string {
	for _, p := range ours {
		for _, line := range offered {
			for t := range strings.SplitSeq(line, ",") {
				if strings.Trim(t, " \t") == p {
					return p
				}
			}
		}
	}
	return ""
}

// validKey tells whether there is one key and it is 16 bytes in base64, RFC 6455 section 4.2.1 item 5.
func validKey(values []string) bool {
	if len(values) != 1 || len(values[0]) != 24 {
		return false
	}
	var room [18]byte
	n, err := base64.StdEncoding.Decode(room[:], []byte(values[0]))
	return err == nil && n == 16
}
