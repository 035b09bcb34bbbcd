package engine_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"siomq/server/engine"
)

// A client that does not read is closed when its queue is full, and counted;
// one that reads is not touched by that.
func TestQueueFull(t *testing.T) {
	srv := newServer(t, &engine.Options{MaxQueue: 1 << 20}, nil)
	slow, slowSession := srv.ws()
	fast, fastSession := srv.ws()
	_, idle := srv.poll() // one that never polls
	m := engine.NewMessage(engine.Part{Data: []byte(strings.Repeat("x", 64<<10))})
	for _, s := range []*session{slowSession, idle} {
		sent := 0
		err := error(nil)
		for ; err == nil; sent++ {
			if sent > 1000 {
				t.Fatal("the queue has no bound")
			}
			err = s.Send(m)
		}
		if err != engine.ErrQueueFull {
			t.Fatalf("Send: %v", err)
		}
		if err := s.Send(m); err != engine.ErrClosed {
			t.Errorf("Send after that: %v", err)
		}
		if e := s.wantClosed(t, engine.TransportError); e.err != engine.ErrQueueFull {
			t.Errorf("closed with %v", e.err)
		}
	}
	slow.wantEnd()
	for range 100 {
		if err := fastSession.Send(m); err != nil {
			t.Fatal(err)
		}
		fast.next()
	}
	if n := srv.Stats().QueueFull; n != 2 {
		t.Errorf("QueueFull %d, want 2", n)
	}
}

// One message is taken whatever its size.
func TestLargeMessage(t *testing.T) {
	srv := newServer(t, &engine.Options{MaxQueue: 1000}, nil)
	c, s := srv.ws()
	large := strings.Repeat("x", 20<<20)
	if err := s.Send(text(large)); err != nil {
		t.Fatal(err)
	}
	c.want("4" + large)
}

// What the connection does not take at once is written later, in order.
func TestBacklog(t *testing.T) {
	srv := newServer(t, nil, nil)
	c, s := srv.ws()
	var want []string
	for i := range 3000 {
		// Small ones are copied together, large ones written from where they lie.
		m := fmt.Sprint(i) + strings.Repeat("x", i%50)
		if i%100 == 0 {
			m += strings.Repeat("y", 100_000)
		}
		want = append(want, m)
		if err := s.Send(text(m)); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range want {
		c.want("4" + m)
	}
	until(t, "all is counted", func() bool { return srv.Stats().MessagesOut == 3000 })
}

func TestVolatile(t *testing.T) {
	t.Run("polling", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		p, s := srv.poll()
		if err := s.SendVolatile(text("lost")); err != nil {
			t.Fatal(err)
		}
		r := p.getLater(s)
		if err := s.SendVolatile(text("taken")); err != nil {
			t.Fatal(err)
		}
		next(t, r, "response").want(t, 200, "4taken")
		if n := srv.Stats().DroppedVolatile; n != 1 {
			t.Errorf("DroppedVolatile %d, want 1", n)
		}
	})
	t.Run("websocket", func(t *testing.T) {
		srv := newServer(t, nil, nil)
		c, s := srv.ws()
		for range 100 { // an idle connection takes every one
			if err := s.SendVolatile(text("x")); err != nil {
				t.Fatal(err)
			}
			c.want("4x")
		}
		m := engine.NewMessage(engine.Part{Data: make([]byte, 1<<20), Binary: true})
		for range 1000 { // and one that does not read, not without end
			if err := s.SendVolatile(m); err != nil {
				t.Fatal(err)
			}
		}
		if n := srv.Stats().DroppedVolatile; n < 900 {
			t.Errorf("DroppedVolatile %d", n)
		}
		s.Socket.Close("bye")
		if err := s.SendVolatile(m); err != engine.ErrClosed {
			t.Errorf("after Close: %v", err)
		}
	})
	t.Run("websocket without nonblocking writes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := newPipeServer(t, &engine.Options{CloseTimeout: time.Second}, nil)
			_, s := srv.ws()
			m := engine.NewMessage(engine.Part{Data: make([]byte, 1<<10), Binary: true})
			for range 1000 {
				if err := s.SendVolatile(m); err != nil {
					t.Fatal(err)
				}
			}
			if n := srv.Stats().DroppedVolatile; n < 900 || n > 950 {
				t.Errorf("DroppedVolatile %d", n)
			}
		})
	})
}

// Many goroutines send on one socket, and each one's messages stay in order.
func TestConcurrentSend(t *testing.T) {
	const senders, each = 20, 200
	for _, c := range []struct {
		name string
		open func(*server) (*session, func() string)
	}{
		{"websocket", func(srv *server) (*session, func() string) {
			conn, s := srv.ws()
			return s, func() string { _, data := conn.next(); return string(data) }
		}},
		{"polling", func(srv *server) (*session, func() string) {
			p, s := srv.poll()
			var have []string
			return s, func() string {
				if len(have) == 0 {
					have = strings.Split(p.get().body, "\x1e")
				}
				m := have[0]
				have = have[1:]
				return m
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := newServer(t, nil, nil)
			s, read := c.open(srv)
			var wg sync.WaitGroup
			for g := range senders {
				wg.Go(func() {
					for i := range each {
						if err := s.Send(text(fmt.Sprintf("%d %d", g, i))); err != nil {
							t.Error(err)
						}
					}
				})
			}
			seen := make(map[int]int)
			for range senders * each {
				packet := read()
				var g, i int
				if _, err := fmt.Sscanf(packet, "4%d %d", &g, &i); err != nil {
					t.Fatalf("packet %q: %v", packet, err)
				}
				if seen[g] != i {
					t.Fatalf("goroutine %d: got %d, want %d", g, i, seen[g])
				}
				seen[g]++
			}
			wg.Wait()
		})
	}
}

// The way of a broadcast: Enqueue on all, then Flush on all, by several at once.
func TestConcurrentBroadcast(t *testing.T) {
	const sockets, broadcasters, each = 20, 4, 100
	srv := newServer(t, nil, nil)
	clients := make([]*client, sockets)
	sessions := make([]*session, sockets)
	for i := range sockets {
		clients[i], sessions[i] = srv.ws()
	}
	var wg sync.WaitGroup
	for b := range broadcasters {
		wg.Go(func() {
			for i := range each {
				m := text(fmt.Sprintf("%d %d", b, i))
				for _, s := range sessions {
					if err := s.Enqueue(m); err != nil {
						t.Error(err)
					}
				}
				for _, s := range sessions {
					s.Flush()
				}
			}
		})
	}
	for _, c := range clients {
		seen := [broadcasters]int{}
		for range broadcasters * each {
			_, data := c.next()
			var b, i int
			if _, err := fmt.Sscanf(string(data), "4%d %d", &b, &i); err != nil {
				t.Fatalf("packet %q: %v", data, err)
			}
			if seen[b] != i {
				t.Fatalf("broadcaster %d: got %d, want %d", b, i, seen[b])
			}
			seen[b]++
		}
	}
	wg.Wait()
}

// Sessions that open, send, close and vanish at once leave nothing behind;
// TestMain looks for goroutines.
func TestChurn(t *testing.T) {
	srv := newServer(t, nil, echo)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				conn, _ := srv.connect("EIO=4&transport=websocket")
				// Errors are part of the game: the server closes meanwhile.
				_, _ = conn.conn.Write(maskedFrame(opText, []byte("4x")))
				switch (g + i) % 4 {
				case 0:
					_ = conn.conn.Close()
				case 1:
					_, _ = conn.conn.Write(maskedFrame(opClose, nil))
				case 2:
					_, _ = conn.conn.Write(maskedFrame(opText, []byte("1")))
				case 3:
					_, _, _ = conn.read()
					_ = conn.conn.Close()
				}
			}
		})
	}
	var closing sync.WaitGroup
	for range 160 {
		s := srv.session()
		closing.Go(func() {
			_ = s.Send(text("y"))
			s.Socket.Close("bye")
			next(t, s.closed, "close")
		})
	}
	wg.Wait()
	closing.Wait()
	if n := srv.Len(); n != 0 {
		t.Errorf("Len %d, want 0", n)
	}
	total := uint64(0)
	for _, n := range srv.Stats().Closed {
		total += n
	}
	if st := srv.Stats(); st.Opened != 160 || total != 160 {
		t.Errorf("opened %d, closed %d", st.Opened, total)
	}
}
