package webtransport_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"siomq/server/engine"
)

// probe opens the session of an upgrade and probes.
func (s *server) probe(sid string) *peer {
	s.t.Helper()
	p := s.connect("&sid=" + sid)
	p.send(`0{"sid":"` + sid + `"}`)
	p.send("2probe")
	p.want("3probe")
	return p
}

// Section "Upgrade".
func TestUpgrade(t *testing.T) {
	srv := newServer(t, nil, echo)
	o, s := srv.poll()
	if want := []string{"websocket", "webtransport"}; !slices.Equal(o.Upgrades, want) {
		t.Errorf("upgrades %q, want %q", o.Upgrades, want)
	}
	pending := make(chan string, 1)
	go func() { pending <- srv.get(o.SID) }()
	p := srv.probe(o.SID)
	if got := next(t, pending, "response"); got != "6" {
		t.Errorf("the open GET is answered with %q", got)
	}
	srv.request("POST", o.SID, "4polling")
	if got := srv.get(o.SID); got != "4polling" {
		t.Errorf("polling during the upgrade: %q", got)
	}
	if err := s.Send(text("queued")); err != nil {
		t.Fatal(err)
	}
	p.send("5")
	p.want("4queued")
	p.send("4hello")
	p.want("4hello")
	if s.Transport() != engine.WebTransport || srv.Stats().Upgraded != 1 {
		t.Errorf("transport %q, Upgraded %d", s.Transport(), srv.Stats().Upgraded)
	}
	// A second one is refused.
	second := srv.connect("&sid=" + o.SID)
	second.send(`0{"sid":"` + o.SID + `"}`)
	second.wantEnd(3)
	p.send("4again")
	p.want("4again")
}

// A pong for a ping that was sent on polling is none for the last ping of the
// stream.
func TestCloseAfterUpgrade(t *testing.T) {
	srv := newServer(t, nil, nil)
	o, s := srv.poll()
	p := srv.probe(o.SID)
	p.send("5")
	p.send("3")
	p.send("4hello")
	s.wantMessage(t, "hello", false)
	s.Socket.Close("goodbye")
	p.want("2")
	s.wantClosed(t, "goodbye")
	p.send("3")
	p.wantEnd(0)
}

// A session that is closed during the upgrade is delivered over it.
func TestCloseDuringUpgrade(t *testing.T) {
	srv := newServer(t, nil, nil)
	o, s := srv.poll()
	p := srv.probe(o.SID)
	for i := range 50 {
		if err := s.Send(text(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	s.Socket.Close("goodbye")
	p.send("5")
	for i := range 50 {
		p.want("4" + fmt.Sprint(i))
	}
	p.want("2")
	p.send("3")
	p.wantEnd(0)
	s.wantClosed(t, "goodbye")
}

// An upgrade that fails leaves the session on polling.
func TestUpgradeFails(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*server, string) *peer
	}{
		{"no probe", func(s *server, sid string) *peer {
			p := s.connect("")
			p.send(`0{"sid":"` + sid + `"}`)
			p.send("4hello")
			return p
		}},
		{"upgrade before the probe", func(s *server, sid string) *peer {
			p := s.connect("")
			p.send(`0{"sid":"` + sid + `"}`)
			p.send("5")
			return p
		}},
		{"message after the probe", func(s *server, sid string) *peer {
			p := s.probe(sid)
			p.send("4hello")
			return p
		}},
		{"binary", func(s *server, sid string) *peer {
			p := s.probe(sid)
			p.sendBinary("5")
			return p
		}},
		{"frame over the limit", func(s *server, sid string) *peer {
			p := s.probe(sid)
			p.raw([]byte{127, 0, 0, 1, 0, 0, 0, 0, 0})
			return p
		}},
		{"client leaves", func(s *server, sid string) *peer {
			_ = s.probe(sid).session.CloseWithError(0, "")
			return nil
		}},
		{"timeout", func(s *server, sid string) *peer { return s.probe(sid) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, &engine.Options{UpgradeTimeout: 300 * time.Millisecond}, echo)
			o, _ := srv.poll()
			if p := c.do(srv, o.SID); p != nil {
				p.wantEnd(0)
			}
			srv.request("POST", o.SID, "4polling")
			until(t, "polling works", func() bool { return srv.get(o.SID) == "4polling" })
			// And a new one may succeed, once the server has seen the end of the other.
			var again *peer
			until(t, "another upgrade", func() bool {
				p := srv.connect("")
				p.send(`0{"sid":"` + o.SID + `"}`)
				p.send("2probe")
				_ = p.stream.SetReadDeadline(time.Now().Add(patience))
				data, _, err := p.read()
				again = p
				return err == nil && data == "3probe"
			})
			again.send("5")
			again.send("4hello")
			again.want("4hello")
		})
	}
}

// A session that ends during an upgrade takes the new connection with it.
func TestEndDuringUpgrade(t *testing.T) {
	srv := newServer(t, nil, nil)
	o, s := srv.poll()
	p := srv.probe(o.SID)
	srv.request("POST", o.SID, "1")
	s.wantClosed(t, engine.TransportClose)
	p.wantEnd(0)
}

// What may not be upgraded, and is not announced.
func TestNoUpgrade(t *testing.T) {
	t.Run("upgrades are off", func(t *testing.T) {
		srv := newServer(t, &engine.Options{DisableUpgrades: true}, nil)
		o, _ := srv.poll()
		if len(o.Upgrades) != 0 {
			t.Errorf("upgrades %q, want none", o.Upgrades)
		}
		p := srv.connect("")
		p.send(`0{"sid":"` + o.SID + `"}`)
		p.wantEnd(3)
	})
	t.Run("not without AllowRequest", func(t *testing.T) {
		asked := 0
		srv := newServer(t, &engine.Options{AllowRequest: func(*http.Request) error { asked++; return nil }}, nil)
		p := srv.connect("&sid=made-up")
		p.send("0")
		p.wantEnd(3)
		if asked != 0 || len(srv.sessions) != 0 {
			t.Errorf("AllowRequest asked %d times, %d sessions", asked, len(srv.sessions))
		}
	})
	t.Run("not announced after Close", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		if err := srv.wt.Close(); err != nil {
			t.Fatal(err)
		}
		if o, _ := srv.poll(); !slices.Equal(o.Upgrades, []string{"websocket"}) {
			t.Errorf("upgrades %q", o.Upgrades)
		}
	})
}

// Nothing is lost and nothing changes places while the session moves, in
// either direction.
func TestUpgradeUnderLoad(t *testing.T) {
	const n = 2000
	for round := range 5 {
		srv := newServer(t, nil, nil)
		o, s := srv.poll()
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range n {
				if err := s.Send(text(fmt.Sprint(i))); err != nil {
					t.Error(err)
					return
				}
			}
		})
		got := 0
		take := func(body string) {
			for packet := range strings.SplitSeq(body, "\x1e") {
				switch {
				case packet == "6":
				case packet == "4"+fmt.Sprint(got):
					got++
				default:
					t.Fatalf("packet %q, want 4%d", packet, got)
				}
			}
		}
		sent := 0
		post := func() {
			var packets []string
			for range 50 {
				packets = append(packets, "4"+fmt.Sprint(sent))
				sent++
			}
			srv.request("POST", o.SID, strings.Join(packets, "\x1e"))
		}
		for range round {
			if got < n { // else nothing would answer it
				take(srv.get(o.SID))
			}
			post()
		}
		last := make(chan string, 1)
		go func() { last <- srv.get(o.SID) }()
		p := srv.probe(o.SID)
		take(next(t, last, "response"))
		p.send("5")
		for sent < n {
			p.send("4" + fmt.Sprint(sent))
			sent++
		}
		for got < n {
			data, _ := p.next()
			take(data)
		}
		for i := range n {
			s.wantMessage(t, fmt.Sprint(i), false)
		}
		wg.Wait()
	}
}
