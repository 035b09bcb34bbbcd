package webtransport_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	client "github.com/quic-go/webtransport-go"

	"siomq/server/engine"
)

// Protocol, section "WebTransport": messages of both kinds and every form of the
// length, both ways.
func TestMessages(t *testing.T) {
	srv := newServer(t, nil, echo)
	p, s := srv.open()
	if s.Transport() != engine.WebTransport {
		t.Errorf("transport %q", s.Transport())
	}
	for _, n := range []int{1, 124, 125, 126, 127, 8191, 8192, 65534, 65535, 65536, 100_000, 999_999} {
		data := strings.Repeat("x", n)
		p.send("4" + data)
		p.want("4" + data)
		p.sendBinary(data)
		p.wantBinary(data)
	}
	p.send("4")
	p.want("4")
	p.send("4grüß 🦊")
	p.want("4grüß 🦊")
	p.send("bAAEC") // allowed anywhere
	p.wantBinary("\x00\x01\x02")
	// The decoder of the reference implementation takes no empty frame.
	p.sendBinary("")
	p.want("b")

	r := s.Request()
	if r.Protocol != 4 || r.TLS == nil || !strings.HasPrefix(r.URI, "/engine.io/?EIO=4") || r.RemoteAddr == "" {
		t.Errorf("request %+v", r)
	}
	if err := p.session.CloseWithError(0, ""); err != nil {
		t.Fatal(err)
	}
	s.wantClosed(t, engine.TransportClose)
	until(t, "no session is left", func() bool { return srv.Len() == 0 })
}

// Frames that come in pieces of one byte, and many in one piece.
func TestFraming(t *testing.T) {
	srv := newServer(t, nil, nil)
	p, s := srv.open()
	long := strings.Repeat("é", 100)
	var all []byte
	all = append(all, frame("4a", false)...)
	all = append(all, frame(long, true)...)
	all = append(all, frame("4"+long, false)...)
	for range 2 {
		for i := range all {
			p.raw(all[i : i+1])
		}
		p.raw(all)
	}
	for range 4 {
		s.wantMessage(t, "a", false)
		s.wantMessage(t, long, true)
		s.wantMessage(t, long, false)
	}
	// A message of several parts stays together.
	if err := s.Send(engine.NewText(3, func(b []byte) []byte { return append(b, "abc"...) }, []byte{1}, []byte(long))); err != nil {
		t.Fatal(err)
	}
	p.want("4abc")
	p.wantBinary("\x01")
	p.wantBinary(long)
}

// Many goroutines send at once: nothing is lost, and each one's order is kept.
func TestConcurrentSends(t *testing.T) {
	srv := newServer(t, nil, nil)
	p, s := srv.open()
	const senders, each = 8, 500
	var wg sync.WaitGroup
	for g := range senders {
		wg.Go(func() {
			for i := range each {
				if err := s.Send(text(fmt.Sprint(g, " ", i))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var seen [senders]int
	for range senders * each {
		data, _ := p.next()
		var g, i int
		if _, err := fmt.Sscanf(data, "4%d %d", &g, &i); err != nil || seen[g] != i {
			t.Fatalf("message %q, want number %d", data, seen[g])
		}
		seen[g]++
	}
	wg.Wait()
}

// Section "Heartbeat".
func TestHeartbeat(t *testing.T) {
	srv := newServer(t, &engine.Options{PingInterval: 50 * time.Millisecond, PingTimeout: 1500 * time.Millisecond}, echo)
	p, s := srv.open()
	for range 3 {
		p.want("2")
		p.send("3")
	}
	p.want("2") // is not answered
	p.want("2") // asks whether everything has arrived
	if err := s.wantClosed(t, engine.PingTimeout).err; err == nil {
		t.Error("no error")
	}
	p.send("3")
	p.send("3")
	p.wantEnd(0)
}

// Everything that was sent before a close arrives, and then the session ends.
func TestCloseDeliversAll(t *testing.T) {
	srv := newServer(t, nil, nil)
	for range 20 {
		p, s := srv.open()
		for i := range 50 {
			if err := s.Send(text(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		s.Socket.Close("goodbye")
		if err := s.Send(text("late")); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("Send after Close: %v", err)
		}
		for i := range 50 {
			p.want("4" + fmt.Sprint(i))
		}
		p.want("2")
		p.send("3")
		p.wantEnd(0)
		s.wantClosed(t, "goodbye")
	}
}

// A client that does not answer is not waited for longer than CloseTimeout.
func TestCloseTimeout(t *testing.T) {
	srv := newServer(t, &engine.Options{CloseTimeout: 100 * time.Millisecond}, nil)
	p, s := srv.open()
	s.Socket.Close(engine.ForcedClose)
	p.want("2")
	s.wantClosed(t, engine.ForcedClose)
	_ = p.stream.SetReadDeadline(time.Now().Add(patience))
	if _, _, err := p.read(); err == nil {
		t.Error("the session does not end")
	}
}

// A client that does not read is closed once MaxQueue is reached.
func TestSlowReader(t *testing.T) {
	srv := newServer(t, &engine.Options{MaxQueue: 1 << 20, CloseTimeout: time.Second}, nil)
	_, s := srv.open()
	data := text(strings.Repeat("x", 100_000))
	until(t, "the queue is full", func() bool { return errors.Is(s.Send(data), engine.ErrQueueFull) })
	s.wantClosed(t, engine.TransportError)
	if n := srv.Stats().QueueFull; n != 1 {
		t.Errorf("QueueFull %d", n)
	}
}

// The client ends the session, in every way that there is.
func TestClientEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*peer)
	}{
		{"session", func(p *peer) { _ = p.session.CloseWithError(0, "") }},
		{"session with a code", func(p *peer) { _ = p.session.CloseWithError(7, "bye") }},
		{"stream", func(p *peer) { _ = p.stream.Close() }},
		{"stream reset", func(p *peer) { p.stream.CancelWrite(1) }},
		{"close packet", func(p *peer) { p.send("1"); p.wantEnd(0) }},
		{"half a frame", func(p *peer) { p.raw([]byte{5, '4'}); _ = p.stream.Close() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, nil, nil)
			p, s := srv.open()
			c.do(p)
			s.wantClosed(t, engine.TransportClose)
		})
	}
}

// What breaks the protocol ends the session, and nothing else.
func TestViolations(t *testing.T) {
	for _, c := range []struct {
		name   string
		data   []byte
		reason engine.Reason
	}{
		{"empty frame", []byte{0}, engine.ParseError},
		{"unknown packet", frame("9", false), engine.ParseError},
		{"not UTF-8", frame("4\xff", false), engine.ParseError},
		{"not base64", frame("b!", false), engine.ParseError},
		{"ping", frame("2", false), engine.TransportError},
		{"over the limit, 16 bits", []byte{126, 0x27, 0x11}, engine.ParseError},
		{"over the limit, 64 bits", []byte{127, 0, 0, 0, 0, 0, 1, 0, 0}, engine.ParseError},
		{"over any limit", []byte{0xff, 255, 255, 255, 255, 255, 255, 255, 255}, engine.ParseError},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, &engine.Options{MaxPayload: 10_000}, nil)
			p, s := srv.open()
			p.raw(append(frame("4before", false), c.data...))
			s.wantMessage(t, "before", false)
			s.wantClosed(t, c.reason)
			p.wantEnd(0)
			if want := uint64(strings.Count(c.name, "over")); srv.Stats().TooLarge != want {
				t.Errorf("TooLarge %d, want %d", srv.Stats().TooLarge, want)
			}
		})
	}
}

// Not more streams than one: others are refused, and the session goes on.
func TestSecondStream(t *testing.T) {
	srv := newServer(t, nil, echo)
	p, _ := srv.open()
	for range 100 {
		other, err := p.session.OpenStreamSync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = other.Write(frame("4other", false))
		_ = other.SetReadDeadline(time.Now().Add(patience))
		if _, err := other.Read(make([]byte, 1)); err == nil {
			t.Fatal("a second stream is answered")
		}
		_ = other.Close()
	}
	p.send("4hello")
	p.want("4hello")
}

// Streams that begin with something else than the open packet.
func TestBadBeginning(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		code client.SessionErrorCode
	}{
		{"message", frame("4hello", false), 3},
		{"empty", []byte{0}, 3},
		{"binary", frame("0", true), 3},
		{"no JSON", frame("0{", false), 3},
		{"no session id", frame("0{}", false), 3},
		{"a number for session id", frame(`0{"sid":1}`, false), 3},
		{"too long", frame(`0{"sid":"`+strings.Repeat("x", 2000)+`"}`, false), 3},
		{"unknown session", frame(`0{"sid":"nobody"}`, false), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, nil, nil)
			p := srv.connect("")
			p.raw(c.data)
			p.wantEnd(c.code)
			if n := srv.Stats().HTTPErrors[c.code]; n != 1 {
				t.Errorf("HTTPErrors[%d] = %d", c.code, n)
			}
			if len(srv.sessions) > 0 {
				t.Error("a session was opened")
			}
		})
	}
}

// A session without a stream, and a stream that says nothing, are closed after
// UpgradeTimeout.
func TestSilence(t *testing.T) {
	srv := newServer(t, &engine.Options{UpgradeTimeout: 100 * time.Millisecond}, nil)
	sess, _, err := srv.dial("/engine.io/?EIO=4", nil)
	if err != nil {
		t.Fatal(err)
	}
	next(t, sess.Context().Done(), "end of a session without a stream")
	p := srv.connect("")
	p.raw([]byte{1}) // a frame that never ends
	p.wantEnd(3)
}

// Close of the engine ends a session that has said nothing yet.
func TestServerCloses(t *testing.T) {
	srv := newServer(t, nil, nil)
	silent := srv.connect("")
	silent.raw([]byte{1})
	p, s := srv.open()
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Server.Close()
	}()
	p.want("2")
	p.send("3")
	p.wantEnd(0)
	silent.wantEnd(0)
	s.wantClosed(t, engine.ForcedClose)
	next(t, done, "end of Close")
	if err := srv.wt.Close(); err != nil {
		t.Error(err)
	}
	if err := srv.wt.Close(); err != nil {
		t.Error("again:", err)
	}
}

// Requests that are refused before a session comes of them.
func TestRefused(t *testing.T) {
	origin := func(o string) http.Header { return http.Header{"Origin": {o}} }
	for _, c := range []struct {
		name, path string
		header     http.Header
		options    engine.Options
		status     int
	}{
		{"other path", "/other", nil, engine.Options{}, 404},
		{"other revision", "/engine.io/?EIO=3", nil, engine.Options{AllowEIO3: true}, 400},
		{"other origin", "/engine.io/?EIO=4", origin("https://evil.test"), engine.Options{}, 403},
		{"not allowed", "/engine.io/?EIO=4", nil, engine.Options{AllowRequest: func(*http.Request) error { return errors.New("no") }}, 403},
		{"allowed origin", "/engine.io/?EIO=4", origin("https://good.test"), engine.Options{CORS: &engine.CORS{Origins: []string{"https://good.test"}}}, 200},
		{"no slash", "/engine.io", nil, engine.Options{}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, &c.options, nil)
			_, status, err := srv.dial(c.path, c.header)
			if status != c.status {
				t.Errorf("status %d (%v), want %d", status, err, c.status)
			}
		})
	}
}
