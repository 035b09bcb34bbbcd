package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"siomq/server/engine"
)

// What was sent before Close arrives, all of it and in order.

func sendAndClose(t *testing.T, s *session) {
	t.Helper()
	for i := range 50 {
		if err := s.Send(text(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	s.Socket.Close("bye")
	if err := s.Send(text("late")); err != engine.ErrClosed {
		t.Errorf("Send after Close: %v", err)
	}
	s.Socket.Close("again") // the first one counts
}

// fifty is the polling form of what sendAndClose sends from the nth on.
func fifty(from int) string {
	var b strings.Builder
	for i := from; i < 50; i++ {
		fmt.Fprintf(&b, "4%d\x1e", i)
	}
	return b.String() + "1"
}

func TestCloseFlushesWebSocket(t *testing.T) {
	srv := newServer(t, nil, nil)
	c, s := srv.ws()
	sendAndClose(t, s)
	for i := range 50 {
		c.want(fmt.Sprintf("4%d", i))
	}
	c.wantClose()
	s.wantClosed(t, "bye")
}

func TestCloseFlushesPolling(t *testing.T) {
	t.Run("with a GET open", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		p, s := srv.poll()
		first := p.getLater(s)
		sendAndClose(t, s)
		// The first GET may be answered before all is sent; then the next has the
		// rest. The close comes in an answer of its own.
		got := next(t, first, "response").body
		for !strings.HasSuffix(got, "\x1e1") {
			answer := p.get().body
			if answer != "1" && strings.HasSuffix(answer, "\x1e1") {
				t.Errorf("close in one answer with messages: %q", answer)
			}
			got += "\x1e" + answer
		}
		if want := fifty(0); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		s.wantClosed(t, "bye")
		p.wantGone()
	})
	t.Run("with no GET open", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		p, s := srv.poll()
		sendAndClose(t, s)
		p.post("4ignored").want(t, 200, "ok")
		if len(s.closed) != 0 {
			t.Error("closed before the queue was taken")
		}
		p.get().want(t, 200, strings.TrimSuffix(fifty(0), "\x1e1"))
		p.get().want(t, 200, "1")
		s.wantClosed(t, "bye")
		p.wantGone()
	})
}

func TestCloseFlushesDuringUpgrade(t *testing.T) {
	t.Run("which is completed", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		p, s := srv.poll()
		c := p.probe()
		sendAndClose(t, s)
		c.send("5")
		for i := range 50 {
			c.want(fmt.Sprintf("4%d", i))
		}
		c.wantClose()
		s.wantClosed(t, "bye")
	})
	t.Run("which is not", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		p, s := srv.poll()
		c := p.probe()
		sendAndClose(t, s)
		p.get().want(t, 200, strings.TrimSuffix(fifty(0), "\x1e1"))
		p.get().want(t, 200, "1")
		s.wantClosed(t, "bye")
		c.wantEnd()
	})
}

// The wait for a client that takes nothing is bounded.
func TestCloseTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newPipeServer(t, &engine.Options{CloseTimeout: 7 * time.Second}, nil)
		_, onPolling := srv.poll()
		_, onWS := srv.ws() // on a pipe, nothing is taken before it is read
		start := time.Now()
		sendAndClose(t, onPolling)
		sendAndClose(t, onWS)
		onPolling.wantClosed(t, "bye")
		onWS.wantClosed(t, "bye")
		wantAfter(t, "close", start, 7*time.Second)
	})
}

// A client that reads but does not answer the close frame keeps nothing but
// its connection, and that for CloseTimeout.
func TestCloseNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newPipeServer(t, &engine.Options{CloseTimeout: 7 * time.Second}, nil)
		c, s := srv.ws()
		start := time.Now()
		s.Socket.Close("bye")
		if op, _ := c.next(); op != opClose {
			t.Fatalf("opcode %d", op)
		}
		s.wantClosed(t, "bye")
		wantAfter(t, "close", start, 0)
		if n := srv.Len(); n != 0 {
			t.Errorf("Len %d, want 0", n)
		}
		c.wantEnd()
		wantAfter(t, "end of the connection", start, 7*time.Second)
	})
}

// Close is called once, after the last Message, whoever closes.
func TestCloseWaitsForMessage(t *testing.T) {
	release := make(chan struct{})
	srv := newServer(t, nil, func(s *session, _ []byte, _ bool) {
		s.Socket.Close("bye") // does not wait for itself
		<-release
		s.messages <- received{}
	})
	c, s := srv.ws()
	c.send("4x")
	c.send("4y")
	if op, _ := c.next(); op != opClose {
		t.Errorf("opcode %d, want a close frame", op)
	}
	if len(s.closed) != 0 {
		t.Error("Close during Message")
	}
	close(release)
	c.sendFrame(opClose, nil)
	c.wantEnd()
	s.wantClosed(t, "bye")
	if len(s.messages) != 1 {
		t.Errorf("%d messages, want 1: none after Close", len(s.messages))
	}
}

// A handler that panics ends its own session and no other.
func TestHandlerPanics(t *testing.T) {
	srv := newServer(t, nil, func(s *session, data []byte, binary bool) {
		if string(data) == "panic" {
			panic("as told")
		}
		echo(s, data, binary)
	})
	bystander, _ := srv.ws()
	c, s := srv.ws()
	c.send("4panic")
	c.wantClose()
	if e := s.wantClosed(t, engine.TransportError); e.err == nil {
		t.Error("no cause")
	}
	p, s2 := srv.poll()
	p.post("4panic").want(t, 400, badRequest)
	s2.wantClosed(t, engine.TransportError)
	bystander.send("4x")
	bystander.want("4x")
}

func TestServerClose(t *testing.T) {
	srv := newServer(t, nil, nil)
	p, polling := srv.poll()
	get := p.getLater(polling)
	_, idle := srv.poll()
	c, onWS := srv.ws()
	q, upgrading := srv.poll()
	probing := q.probe()
	for _, s := range []*session{polling, onWS} {
		if err := s.Send(text("last")); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	done := make(chan struct{})
	go func() { defer close(done); srv.Close() }()
	c.want("4last")
	c.wantClose()
	if r := next(t, get, "response"); !strings.HasPrefix(r.body, "4last") {
		t.Errorf("GET: %q", r.body)
	}
	for _, s := range []*session{polling, idle, onWS, upgrading} {
		s.wantClosed(t, engine.ForcedClose)
	}
	probing.wantEnd()
	next(t, done, "end of Close")
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("Close took %v", d)
	}
	if r := srv.do("GET", "EIO=4&transport=polling", nil); r.status != 503 {
		t.Errorf("after Close: %d %q", r.status, r.body)
	}
	if n := srv.Len(); n != 0 {
		t.Errorf("Len %d, want 0", n)
	}
}
