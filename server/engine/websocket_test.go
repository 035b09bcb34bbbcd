package engine_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"siomq/server/engine"
)

// Protocol, section "Packet encoding, WebSocket".
func TestWebSocketMessages(t *testing.T) {
	srv := newServer(t, nil, echo)
	c, s := srv.ws()
	if s.Transport() != engine.WebSocket {
		t.Errorf("transport %q", s.Transport())
	}
	for _, m := range []string{"4hello", "4", "4€ 😀", "4" + strings.Repeat("x", 200), "4" + strings.Repeat("y", 100_000)} {
		c.send(m)
		c.want(m)
	}
	for _, m := range [][]byte{{}, {1, 2, 3, 4}, bytes.Repeat([]byte{0xff}, 70_000)} {
		c.sendFrame(opBinary, m)
		c.wantBinary(m)
	}
	c.send("bAQID") // base64 in a text frame is decoded as in the reference implementation
	c.wantBinary([]byte{1, 2, 3})
}

func TestWebSocketParts(t *testing.T) {
	srv := newServer(t, nil, nil)
	c, s := srv.ws()
	m := engine.NewMessage(engine.Part{Data: []byte("51-[]")}, engine.Part{Data: []byte{1}, Binary: true})
	if err := s.Send(m); err != nil {
		t.Fatal(err)
	}
	c.want("451-[]")
	c.wantBinary([]byte{1})
}

// RFC 6455 section 5.5.2: a ping is answered with its payload, between two
// messages.
func TestWebSocketPing(t *testing.T) {
	srv := newServer(t, nil, echo)
	c, _ := srv.ws()
	c.sendFrame(opPing, []byte("are you there"))
	if op, data := c.next(); op != opPong || string(data) != "are you there" {
		t.Fatalf("opcode %d %q", op, data)
	}
	c.send("4still")
	c.want("4still")
}

// How a client ends a session, and what is made of it.
func TestWebSocketEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		do     func(*client)
		frame  bool // the server answers with a close frame
		code   uint16
		reason engine.Reason
	}{
		{"close packet", func(c *client) { c.send("1") }, true, 0, engine.TransportClose},
		{"close frame", func(c *client) { c.sendFrame(opClose, []byte{3, 232}) }, true, 1000, engine.TransportClose},
		{"close frame without code", func(c *client) { c.sendFrame(opClose, nil) }, true, 0, engine.TransportClose},
		{"connection gone", func(c *client) { _ = c.conn.Close() }, false, 0, engine.TransportClose},
		{"unknown packet type", func(c *client) { c.send("abc") }, true, 0, engine.ParseError},
		{"packet type of another revision", func(c *client) { c.send("7") }, true, 0, engine.ParseError},
		{"empty packet", func(c *client) { c.send("") }, true, 0, engine.ParseError},
		{"binary packet that is not base64", func(c *client) { c.send("b!") }, true, 0, engine.ParseError},
		{"ping", func(c *client) { c.send("2") }, true, 0, engine.TransportError},
		{"probe without upgrade", func(c *client) { c.send("2probe") }, true, 0, engine.TransportError},
		{"text that is not UTF-8", func(c *client) { c.send("4\xff") }, true, 1007, engine.TransportError},
		{"reserved opcode", func(c *client) { c.sendFrame(3, nil) }, true, 1002, engine.TransportError},
		{"over maxPayload", func(c *client) { c.send(strings.Repeat("4", 1_000_001)) }, true, 1009, engine.TransportError},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, nil, nil)
			conn, s := srv.ws()
			conn.send("4before")
			c.do(conn)
			if c.frame {
				payload := conn.wantClose()
				code := uint16(0)
				if len(payload) >= 2 {
					code = binary.BigEndian.Uint16(payload)
				}
				if code != c.code {
					t.Errorf("close code %d, want %d", code, c.code)
				}
			}
			s.wantMessage(t, "before", false)
			s.wantClosed(t, c.reason)
			if n := srv.Len(); n != 0 {
				t.Errorf("Len %d, want 0", n)
			}
			if err := s.Send(text("x")); err != engine.ErrClosed {
				t.Errorf("Send after the end: %v", err)
			}
			if n := srv.Stats().Closed[c.reason]; n != 1 {
				t.Errorf("Closed[%q] %d, want 1", c.reason, n)
			}
		})
	}
}

// Packets that a server has no use for are ignored; so is a pong that nothing
// asked for.
func TestIgnoredPackets(t *testing.T) {
	srv := newServer(t, nil, echo)
	c, _ := srv.ws()
	for _, m := range []string{"3", "3probe", "6", "0", "5"} {
		c.send(m)
	}
	c.send("4here")
	c.want("4here")
}

// A WebSocket handshake that is none is refused by the rules of RFC 6455.
func TestBadWebSocketHandshake(t *testing.T) {
	srv := newServer(t, nil, nil)
	r := srv.do("GET", "EIO=4&transport=websocket", nil, "Connection", "Upgrade", "Upgrade", "websocket")
	if r.status != 400 && r.status != 426 {
		t.Errorf("status %d", r.status)
	}
	if n := srv.Len(); n != 0 {
		t.Errorf("Len %d, want 0", n)
	}
}

func TestOrigin(t *testing.T) {
	same := newServer(t, nil, nil)
	cors := newServer(t, &engine.Options{CORS: &engine.CORS{Origins: []string{"https://good.test"}}}, nil)
	for _, c := range []struct {
		name    string
		srv     *server
		headers []string
		ok      bool
	}{
		{"none", same, nil, true},
		{"same host", same, []string{"Origin", "https://example.test"}, true},
		{"same host behind a proxy", same, []string{"Origin", "https://front.test", "X-Forwarded-Host", "front.test"}, true},
		{"another host", same, []string{"Origin", "https://evil.test"}, false},
		{"null", same, []string{"Origin", "null"}, false},
		{"allowed by CORS", cors, []string{"Origin", "https://good.test"}, true},
		{"not allowed by CORS", cors, []string{"Origin", "https://evil.test"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, r := c.srv.connect("EIO=4&transport=websocket", c.headers...)
			if (conn != nil) != c.ok {
				t.Fatalf("status %d", r.status)
			}
			if !c.ok {
				r.want(t, 403, `{"code":4,"message":"Forbidden"}`)
			}
		})
	}
}
