package engine_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"siomq/server/engine"
)

// Protocol, section "Heartbeat". Time is that of synctest, connections are in
// memory.

const (
	interval = 3 * time.Second
	timeout  = 2 * time.Second
)

func heartbeatOptions() *engine.Options {
	return &engine.Options{PingInterval: interval, PingTimeout: timeout, CloseTimeout: time.Second}
}

// wantAfter checks how much time has passed since start.
func wantAfter(t *testing.T, what string, start time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(start); got != want {
		t.Errorf("%s after %v, want %v", what, got, want)
	}
}

func TestPingPongWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newPipeServer(t, heartbeatOptions(), echo)
		c, s := srv.ws()
		for range 3 {
			start := time.Now()
			c.want("2")
			wantAfter(t, "ping", start, interval)
			time.Sleep(timeout - time.Millisecond)
			c.send("3")
			c.send("4x") // does not count as an answer, nor does it disturb
			c.want("4x")
		}
		start := time.Now()
		c.want("2")
		c.wantClose()
		wantAfter(t, "close", start, interval+timeout)
		s.wantClosed(t, engine.PingTimeout)
	})
}

func TestPingPongPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newPipeServer(t, heartbeatOptions(), nil)
		p, s := srv.poll()
		for range 3 {
			start := time.Now()
			p.get().want(t, 200, "2")
			wantAfter(t, "ping", start, interval)
			time.Sleep(timeout - time.Millisecond)
			p.post("3").want(t, 200, "ok")
		}
		start := time.Now()
		p.get().want(t, 200, "2")
		p.get().want(t, 200, "1") // open when the time is over
		wantAfter(t, "close", start, interval+timeout)
		s.wantClosed(t, engine.PingTimeout)
		p.wantGone()
	})
}

// A client that does not even poll is not there.
func TestPingTimeoutWithoutGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newPipeServer(t, heartbeatOptions(), nil)
		p, s := srv.poll()
		start := time.Now()
		s.wantClosed(t, engine.PingTimeout)
		wantAfter(t, "close", start, interval+timeout)
		p.wantGone()
	})
}

// A pong that answers nothing neither harms nor puts off the next ping.
func TestUnaskedPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newPipeServer(t, heartbeatOptions(), nil)
		c, _ := srv.ws()
		start := time.Now()
		time.Sleep(interval / 2)
		c.send("3")
		c.want("2")
		wantAfter(t, "ping", start, interval)
		c.send("3")
		c.send("3")
		c.want("2")
		wantAfter(t, "second ping", start, 2*interval)
	})
}

// A client that sends without end and never answers a ping is closed, if later.
func TestMessagesAreNoPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newPipeServer(t, heartbeatOptions(), nil)
		c, s := srv.ws()
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				if _, _, err := c.read(); err != nil {
					return
				}
			}
		})
		wg.Go(func() {
			for {
				time.Sleep(time.Second / 7)
				if _, err := c.conn.Write(maskedFrame(opText, []byte("4x"))); err != nil {
					return
				}
			}
		})
		s.wantClosed(t, engine.PingTimeout)
		_ = c.conn.Close()
		wg.Wait()
	})
}

// While Message blocks, pings are sent at their times, and the client is not
// closed for pongs that nobody reads. After it, the client has its time again.
func TestBlockedHandlerWebSocket(t *testing.T) {
	for _, c := range []struct {
		name              string
		interval, timeout time.Duration
		between           time.Duration // pings, while blocked
	}{
		{"interval over timeout", 3 * time.Second, 2 * time.Second, 3 * time.Second},
		{"timeout over interval", 2 * time.Second, 3 * time.Second, 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				o := &engine.Options{PingInterval: c.interval, PingTimeout: c.timeout, CloseTimeout: time.Second}
				srv := newPipeServer(t, o, func(s *session, data []byte, _ bool) {
					if string(data) == "block" {
						<-release
					}
					s.messages <- received{data: string(data)}
				})
				conn, s := srv.ws()
				start := time.Now()
				conn.send("4block")
				conn.want("2")
				wantAfter(t, "ping", start, c.interval)
				for i := range 10 {
					conn.want("2")
					wantAfter(t, "ping", start, c.interval+time.Duration(i+1)*c.between)
				}
				close(release)
				s.wantMessage(t, "block", false)
				time.Sleep(c.timeout - time.Millisecond)
				conn.send("3")
				start = time.Now()
				conn.want("2")
				wantAfter(t, "ping", start, c.interval)
				conn.wantClose()
				wantAfter(t, "close", start, c.interval+c.timeout)
				s.wantClosed(t, engine.PingTimeout)
			})
		})
	}
}

// The same when the call ends just before the time for the pong does.
func TestBlockedHandlerEndsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newPipeServer(t, heartbeatOptions(), func(*session, []byte, bool) {
			time.Sleep(interval + timeout - time.Millisecond)
		})
		c, s := srv.ws()
		c.send("4x")
		c.want("2")
		time.Sleep(timeout + timeout/2)
		c.send("3")
		c.want("2")
		c.send("3")
		if len(s.closed) != 0 {
			t.Error("closed")
		}
	})
}

func TestBlockedHandlerPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		srv := newPipeServer(t, heartbeatOptions(), func(*session, []byte, bool) { <-release })
		p, s := srv.poll()
		posted := make(chan reply, 1)
		go func() { posted <- p.post("4x") }()
		for range 5 {
			start := time.Now()
			p.get().want(t, 200, "2")
			wantAfter(t, "ping", start, interval)
		}
		close(release)
		next(t, posted, "response").want(t, 200, "ok")
		p.post("3").want(t, 200, "ok")
		start := time.Now()
		p.get().want(t, 200, "2")
		wantAfter(t, "ping", start, interval)
		if len(s.closed) != 0 {
			t.Error("closed")
		}
	})
}

// A ping that was asked on polling may be answered on WebSocket.
func TestPingAcrossUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newPipeServer(t, heartbeatOptions(), nil)
		p, s := srv.poll()
		p.get().want(t, 200, "2")
		c := p.probe()
		c.send("5")
		c.send("3")
		start := time.Now()
		c.want("2")
		wantAfter(t, "ping", start, interval)
		if len(s.closed) != 0 {
			t.Error("closed")
		}
	})
}
