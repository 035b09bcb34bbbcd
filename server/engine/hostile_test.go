package engine_test

import (
	"io"
	"strings"
	"testing"

	"siomq/server/engine"
)

// What no client sends ends that session, as the protocol says, and nothing
// else: two bystanders live through all of it.

// bystanders opens a session on each transport and returns what checks that
// they are well.
func bystanders(srv *server) func(*testing.T) {
	polling, pollingSession := srv.poll()
	onWS, onWSSession := srv.ws()
	return func(t *testing.T) {
		t.Helper()
		polling.post("4here").want(t, 200, "ok")
		polling.get().want(t, 200, "4here")
		onWS.send("4here")
		onWS.want("4here")
		if len(pollingSession.closed)+len(onWSSession.closed) != 0 {
			t.Fatal("a bystander was closed")
		}
	}
}

func TestHostilePost(t *testing.T) {
	srv := newServer(t, nil, echo)
	bystanders := bystanders(srv)
	for _, c := range []struct {
		name   string
		body   string
		reason engine.Reason
	}{
		{"ping before anything else", "2", engine.TransportError},
		{"probe by POST", "2probe", engine.TransportError},
		{"empty body", "", engine.ParseError},
		{"empty packet", "4a\x1e", engine.ParseError},
		{"two separators", "4a\x1e\x1e4b", engine.ParseError},
		{"separator first", "\x1e4a", engine.ParseError},
		{"unknown packet type", "abc", engine.ParseError},
		{"unknown packet type, later", "4a\x1e7\x1e4b", engine.ParseError},
		{"NUL", "\x00", engine.ParseError},
		{"payload of revision 3", "6:4hello", engine.TransportError},
		{"invalid UTF-8", "4\xff\xfe", engine.ParseError},
		{"cut UTF-8", "4\xe2\x82", engine.ParseError},
		{"surrogate in UTF-8", "4\xed\xa0\x80", engine.ParseError},
		{"base64 with a hole", "bAA A=", engine.ParseError},
		{"base64 of length 1", "bA", engine.ParseError},
		{"only separators", strings.Repeat("\x1e", 100_000), engine.ParseError},
	} {
		t.Run("POST "+c.name, func(t *testing.T) {
			p, s := srv.poll()
			r := p.post(c.body)
			if c.name == "payload of revision 3" {
				// "6:4hello" is a noop packet with data in revision 4: ignored.
				r.want(t, 200, "ok")
				bystanders(t)
				return
			}
			r.want(t, 400, badRequest)
			s.wantClosed(t, c.reason)
			p.wantGone()
			bystanders(t)
		})
	}
	t.Run("chunked POST of 5 MB", func(t *testing.T) {
		p, s := srv.poll()
		r := srv.do("POST", p.query(), io.LimitReader(endless{}, 5_000_000))
		// The server does not read to the end: the client may see that instead.
		if r.err == nil && r.status != 413 {
			t.Errorf("status %d", r.status)
		}
		s.wantClosed(t, engine.TransportError)
		p.wantGone()
		bystanders(t)
	})
	t.Run("POST of a length that never comes", func(t *testing.T) {
		p, s := srv.poll()
		conn, err := srv.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "POST /engine.io/?"+p.query()+" HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n4"); err != nil {
			t.Fatal(err)
		}
		until(t, "a POST is open", func() bool { return engine.HasPost(s.Socket) })
		bystanders(t)
		s.Socket.Close("enough")
		p.get().want(t, 200, "1")
		s.wantClosed(t, "enough")
		until(t, "the POST is given up", func() bool { return !engine.HasPost(s.Socket) })
	})
}

func TestHostileUpgrade(t *testing.T) {
	srv := newServer(t, nil, echo)
	bystanders := bystanders(srv)
	t.Run("upgrade of an unknown session", func(t *testing.T) {
		_, r := srv.connect("EIO=4&transport=websocket&sid=unknown")
		r.want(t, 400, unknownSID)
		bystanders(t)
	})
	t.Run("upgrade of a session on WebSocket", func(t *testing.T) {
		_, s := srv.ws()
		c, _ := srv.connect("EIO=4&transport=websocket&sid=" + s.ID())
		c.wantClose()
		bystanders(t)
	})
	t.Run("polling of a session on WebSocket", func(t *testing.T) {
		c, s := srv.ws()
		p := &poller{t, srv, s.ID()}
		p.get().want(t, 400, badRequest)
		p.post("1").want(t, 400, badRequest)
		c.send("4here")
		c.want("4here")
		bystanders(t)
	})
}

func TestHostileWebSocket(t *testing.T) {
	srv := newServer(t, nil, echo)
	bystanders := bystanders(srv)
	t.Run("garbage on a WebSocket", func(t *testing.T) {
		c, s := srv.ws()
		if _, err := c.conn.Write([]byte(strings.Repeat("\xff", 100))); err != nil {
			t.Fatal(err)
		}
		c.wantEnd()
		s.wantClosed(t, engine.TransportError)
		bystanders(t)
	})
	t.Run("frame without mask", func(t *testing.T) {
		c, s := srv.ws()
		if _, err := c.conn.Write([]byte{0x81, 1, '3'}); err != nil {
			t.Fatal(err)
		}
		c.wantEnd()
		s.wantClosed(t, engine.TransportError)
		bystanders(t)
	})
	t.Run("frame that announces an exabyte", func(t *testing.T) {
		c, s := srv.ws()
		if _, err := c.conn.Write([]byte{0x82, 0xff, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		c.wantEnd()
		s.wantClosed(t, engine.TransportError)
		bystanders(t)
	})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '4'
	}
	return len(p), nil
}
