package engine_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"siomq/server/engine"
)

// Protocol, sections "Sending data", "Receiving data" and "Packet encoding,
// HTTP long-polling".
func TestPollingMessages(t *testing.T) {
	for _, c := range []struct{ name, body string }{
		{"one text", "4hello"},
		{"empty text", "4"},
		{"several texts", "4test1\x1e4test2\x1e4test3"},
		{"text and binary", "4hello\x1ebAQIDBA=="},
		{"empty binary", "b"},
		{"not ASCII", "4€ 😀 é"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, nil, echo)
			p, _ := srv.poll()
			r := p.post(c.body)
			r.want(t, 200, "ok")
			if got := r.header.Get("Content-Type"); got != "text/html" {
				t.Errorf("Content-Type %q", got)
			}
			p.get().want(t, 200, c.body)
		})
	}
}

func TestPollingReceives(t *testing.T) {
	srv := newServer(t, nil, nil)
	p, s := srv.poll()
	p.post("4a\x1ebAP8\x1ebAP8=\x1e3\x1e6\x1e0{}\x1e5\x1e4b").want(t, 200, "ok")
	s.wantMessage(t, "a", false)
	s.wantMessage(t, "\x00\xff", true) // padding may be missing
	s.wantMessage(t, "\x00\xff", true)
	s.wantMessage(t, "b", false) // pong, noop, open and upgrade in between are ignored
}

func TestPollWaits(t *testing.T) {
	srv := newServer(t, nil, nil)
	p, s := srv.poll()
	if s.Transport() != engine.Polling {
		t.Errorf("transport %q", s.Transport())
	}
	r := p.getLater(s)
	if err := s.Send(text("later")); err != nil {
		t.Fatal(err)
	}
	next(t, r, "response").want(t, 200, "4later")

	// What is sent while no GET is open waits for the next.
	for _, m := range []string{"1", "2", "3"} {
		if err := s.Send(text(m)); err != nil {
			t.Fatal(err)
		}
	}
	p.get().want(t, 200, "41\x1e42\x1e43")
}

// A message of several parts stays together.
func TestPollingParts(t *testing.T) {
	srv := newServer(t, nil, nil)
	p, s := srv.poll()
	m := engine.NewText(0, func(dst []byte) []byte { return append(dst, "51-[]"...) }, []byte{1}, nil)
	if err := s.Send(m); err != nil {
		t.Fatal(err)
	}
	p.get().want(t, 200, "451-[]\x1ebAQ==\x1eb")
}

// Section "Receiving data": "a client MUST NOT have more than one active GET
// request ... HTTP 400 error status and close the session".
func TestPollOverlap(t *testing.T) {
	srv := newServer(t, nil, nil)
	p, s := srv.poll()
	first := p.getLater(s)
	p.get().want(t, 400, badRequest)
	next(t, first, "response").want(t, 200, "1")
	s.wantClosed(t, engine.TransportError)
	p.wantGone()
}

// Section "Sending data", the same for POST.
func TestPostOverlap(t *testing.T) {
	t.Run("while the first is being read", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		p, s := srv.poll()
		body, feed := io.Pipe()
		first := make(chan reply, 1)
		go func() { first <- srv.do("POST", p.query(), body) }()
		if _, err := feed.Write([]byte("4begin")); err != nil {
			t.Fatal(err)
		}
		until(t, "a POST is open", func() bool { return engine.HasPost(s.Socket) })
		p.post("4x").want(t, 400, badRequest)
		s.wantClosed(t, engine.TransportError)
		_ = feed.CloseWithError(errors.New("enough"))
		if r := next(t, first, "response"); r.err == nil && r.status != 400 {
			t.Errorf("first POST: %d %q", r.status, r.body)
		}
		p.wantGone()
	})
	t.Run("while the first is being handled", func(t *testing.T) {
		release := make(chan struct{})
		srv := newServer(t, nil, func(*session, []byte, bool) { <-release })
		p, s := srv.poll()
		first := make(chan reply, 1)
		go func() { first <- p.post("4x\x1e4y") }()
		until(t, "a POST is open", func() bool { return engine.HasPost(s.Socket) })
		p.post("4z").want(t, 400, badRequest)
		p.wantGone()
		select {
		case e := <-s.closed:
			t.Errorf("Close (%v) during Message", e)
		default:
		}
		close(release)
		s.wantClosed(t, engine.TransportError)
		next(t, first, "response").want(t, 400, badRequest)
	})
}

// Section "Handshake": maxPayload. The limit holds with and without an
// announced length.
func TestMaxPayload(t *testing.T) {
	const limit = 1000
	for _, c := range []struct {
		name string
		size int
		body func(string) io.Reader
		ok   bool
	}{
		{"at the limit", limit, func(s string) io.Reader { return strings.NewReader(s) }, true},
		{"at the limit, chunked", limit, func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) }, true},
		{"over the limit", limit + 1, func(s string) io.Reader { return strings.NewReader(s) }, false},
		{"over the limit, chunked", limit + 1, func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, &engine.Options{MaxPayload: limit}, nil)
			p, s := srv.poll()
			r := srv.do("POST", p.query(), c.body("4"+strings.Repeat("x", c.size-1)))
			if c.ok {
				r.want(t, 200, "ok")
				s.wantMessage(t, strings.Repeat("x", c.size-1), false)
				return
			}
			r.want(t, 413, "")
			s.wantClosed(t, engine.TransportError)
			p.wantGone()
			if n := srv.Stats().TooLarge; n != 1 {
				t.Errorf("TooLarge %d, want 1", n)
			}
		})
	}
}

// A client that leaves while its GET is open has left the session.
func TestClientVanishes(t *testing.T) {
	t.Run("during a GET", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		p, s := srv.poll()
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "GET", "http://example.test/engine.io/?"+p.query(), nil)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if resp, err := srv.http.Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}()
		until(t, "a GET is open", func() bool { return engine.HasPoll(s.Socket) })
		cancel()
		<-done
		s.wantClosed(t, engine.TransportError)
		p.wantGone()
	})
	t.Run("during a POST", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		p, s := srv.poll()
		conn, err := srv.dial()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("POST /engine.io/?" + p.query() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4")); err != nil {
			t.Fatal(err)
		}
		until(t, "a POST is open", func() bool { return engine.HasPost(s.Socket) })
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		s.wantClosed(t, engine.TransportError)
		p.wantGone()
	})
}

// Protocol, section "Protocol": close, by the client.
func TestPollingClose(t *testing.T) {
	t.Run("with a GET open", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		p, s := srv.poll()
		r := p.getLater(s)
		p.post("4last\x1e1\x1e4never").want(t, 200, "ok")
		next(t, r, "response").want(t, 200, "6")
		s.wantMessage(t, "last", false)
		s.wantClosed(t, engine.TransportClose)
		p.wantGone()
		if len(s.messages) != 0 {
			t.Error("a message after the close packet was handled")
		}
	})
	t.Run("with a GET on its way", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		p, s := srv.poll()
		p.post("1").want(t, 200, "ok")
		s.wantClosed(t, engine.TransportClose)
		p.get().want(t, 200, "6")
		p.wantGone()
	})
	t.Run("and no more requests", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		p, _ := srv.poll()
		p.post("1").want(t, 200, "ok")
		p.post("4x").want(t, 400, unknownSID)
	})
}

// Protocol, section "Headers": revision 4 has no binary request bodies.
func TestBinaryPost(t *testing.T) {
	srv := newServer(t, nil, nil)
	p, s := srv.poll()
	srv.do("POST", p.query(), strings.NewReader("4x"), "Content-Type", "application/octet-stream").want(t, 400, badRequest)
	s.wantClosed(t, engine.TransportError)
	p.wantGone()
}

// The timeouts of an http.Server are for requests, not for long polls.
func TestHTTPServerTimeouts(t *testing.T) {
	srv, err := engine.New(&engine.Options{PingInterval: 300 * time.Millisecond}, func(s *engine.Socket) engine.Handler {
		return &session{Socket: s, closed: make(chan ended, 1)}
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hs := &http.Server{Handler: srv, ReadTimeout: 100 * time.Millisecond, WriteTimeout: 100 * time.Millisecond}
	done := make(chan struct{})
	go func() { defer close(done); _ = hs.Serve(l) }()
	transport := &http.Transport{}
	s := &server{t: t, Server: srv, http: &http.Client{Transport: transport}}
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("tcp", l.Addr().String())
	}
	defer func() {
		srv.Close()
		transport.CloseIdleConnections()
		_ = hs.Close()
		<-done
	}()
	p := &poller{t, s, parseOpen(t, s.do("GET", "EIO=4&transport=polling", nil).body).SID}
	p.get().want(t, 200, "2")
}
