package engine_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"siomq/server/engine"
)

// Protocol, section "Upgrade".
func TestUpgrade(t *testing.T) {
	srv := newServer(t, nil, echo)
	p, s := srv.poll()
	pending := p.getLater(s)
	c := p.probe()
	next(t, pending, "response").want(t, 200, "6") // the open GET is let go
	p.get().want(t, 200, "6")                      // and one that comes now
	p.post("4polling").want(t, 200, "ok")          // polling still works
	p.get().want(t, 200, "4polling")
	if err := s.Send(text("queued")); err != nil {
		t.Fatal(err)
	}
	c.send("5")
	c.want("4queued")
	c.send("4hello")
	c.want("4hello")
	if s.Transport() != engine.WebSocket {
		t.Errorf("transport %q", s.Transport())
	}
	if n := srv.Stats().Upgraded; n != 1 {
		t.Errorf("Upgraded %d, want 1", n)
	}

	// Requests of polling are refused from now on, and do no harm.
	p.get().want(t, 400, badRequest)
	p.post("4x").want(t, 400, badRequest)
	// So is a second WebSocket, section "WebSocket".
	second, _ := srv.connect("EIO=4&transport=websocket&sid=" + p.sid)
	second.wantClose()
	c.send("4again")
	c.want("4again")
}

// A GET that is open when the upgrade is completed breaks the rules of the
// upgrade, and is refused.
func TestUpgradeWithGetOpen(t *testing.T) {
	srv := newServer(t, nil, echo)
	p, s := srv.poll()
	c, _ := srv.connect("EIO=4&transport=websocket&sid=" + p.sid)
	until(t, "the upgrade has begun", func() bool { return engine.Upgrading(s.Socket) })
	c.send("2probe")
	c.want("3probe")
	r := make(chan reply, 1)
	go func() { r <- p.get() }()
	// It is held for a moment only: on a slow machine it may be answered already.
	until(t, "a GET is open, or was", func() bool { return engine.HasPoll(s.Socket) || len(r) > 0 })
	c.send("5")
	if got := next(t, r, "response"); got.status != 400 && got.body != "6" {
		t.Errorf("GET: %d %q", got.status, got.body)
	}
	c.send("4hello")
	c.want("4hello")
}

// An upgrade that fails leaves the session on polling.
func TestUpgradeFails(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*poller, *session) *client
	}{
		{"no probe", func(p *poller, _ *session) *client {
			c, _ := p.srv.connect("EIO=4&transport=websocket&sid=" + p.sid)
			c.send("4hello")
			return c
		}},
		{"upgrade before the probe", func(p *poller, _ *session) *client {
			c, _ := p.srv.connect("EIO=4&transport=websocket&sid=" + p.sid)
			c.send("5")
			return c
		}},
		{"message after the probe", func(p *poller, _ *session) *client {
			c := p.probe()
			c.send("4hello")
			return c
		}},
		{"binary", func(p *poller, _ *session) *client {
			c, _ := p.srv.connect("EIO=4&transport=websocket&sid=" + p.sid)
			c.sendFrame(opBinary, []byte("2probe"))
			return c
		}},
		{"another probe", func(p *poller, _ *session) *client {
			c, _ := p.srv.connect("EIO=4&transport=websocket&sid=" + p.sid)
			c.send("2other")
			return c
		}},
		{"client leaves", func(p *poller, _ *session) *client {
			c := p.probe()
			_ = c.conn.Close()
			return nil
		}},
		{"client closes", func(p *poller, _ *session) *client {
			c := p.probe()
			c.sendFrame(opClose, nil)
			return c
		}},
		{"timeout", func(p *poller, _ *session) *client { return p.probe() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, &engine.Options{UpgradeTimeout: 200 * time.Millisecond}, echo)
			p, s := srv.poll()
			if conn := c.do(p, s); conn != nil {
				conn.wantEnd()
			}
			until(t, "the upgrade is over", func() bool { return !engine.Upgrading(s.Socket) })
			p.post("4polling").want(t, 200, "ok")
			p.get().want(t, 200, "4polling")
			// And a new one may succeed.
			again := p.probe()
			again.send("5")
			again.send("4hello")
			again.want("4hello")
		})
	}
}

// Section "WebSocket": "A client MUST NOT open more than one WebSocket
// connection per session".
func TestTwoUpgrades(t *testing.T) {
	srv := newServer(t, nil, echo)
	p, _ := srv.poll()
	first := p.probe()
	second, _ := srv.connect("EIO=4&transport=websocket&sid=" + p.sid)
	second.wantClose()
	first.send("5")
	first.send("4hello")
	first.want("4hello")
}

// A session that ends during an upgrade takes the new connection with it.
func TestEndDuringUpgrade(t *testing.T) {
	srv := newServer(t, nil, echo)
	p, s := srv.poll()
	c := p.probe()
	p.post("1").want(t, 200, "ok")
	s.wantClosed(t, engine.TransportClose)
	c.wantEnd()
}

// Nothing is lost and nothing changes places while the session moves, in
// either direction.
func TestUpgradeUnderLoad(t *testing.T) {
	const n = 2000
	for round := range 10 {
		srv := newServer(t, nil, nil)
		p, s := srv.poll()
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
			p.post(strings.Join(packets, "\x1e")).want(t, 200, "ok")
		}
		// As the official client does it: polling goes on until the probe is
		// answered, then the last GET is awaited, then the upgrade is completed.
		for range round {
			if got < n { // else nothing would answer it
				take(p.get().body)
			}
			post()
		}
		last := make(chan reply, 1)
		go func() { last <- p.get() }()
		c := p.probe()
		take(next(t, last, "response").body)
		c.send("5")
		for sent < n {
			c.send("4" + fmt.Sprint(sent))
			sent++
		}
		for got < n {
			_, data := c.next()
			take(string(data))
		}
		for i := range n {
			s.wantMessage(t, fmt.Sprint(i), false)
		}
		wg.Wait()
	}
}
