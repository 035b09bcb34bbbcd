package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"siomq/internal/siotest"
	"siomq/rooms/args"
	"siomq/server"
	"siomq/server/packet"
)

func TestNoEventIsLostBeforeTheConnectionListener(t *testing.T) {
	io, url := start(t, nil)
	got := make(chan string, 1)
	proceed := make(chan struct{})
	io.OnConnection(func(s *server.Socket) {
		<-proceed // the event arrives while the listener still runs
		server.Handle(s, "first", func(_ *server.Event, text string) { got <- text })
	})
	c := siotest.Dial(t, url)
	c.Connect("/")
	c.Emit("/", "first", "hello")
	close(proceed)
	if text := receive(t, got); text != "hello" {
		t.Errorf("got %q", text)
	}
}

func TestEventsArriveInOrder(t *testing.T) {
	io, url := start(t, &server.Options{EventQueue: 10}) // smaller than the burst: reading pauses
	const n = 2000
	done := make(chan []int, 1)
	io.OnConnection(func(s *server.Socket) {
		var got []int
		server.Handle(s, "n", func(_ *server.Event, i int) {
			if got = append(got, i); len(got) == n {
				done <- got
			}
		})
	})
	c := siotest.Dial(t, url)
	c.Connect("/")
	for i := range n {
		c.Emit("/", "n", i)
	}
	for i, v := range receive(t, done) {
		if i != v {
			t.Fatalf("event %d is %d", i, v)
		}
	}
}

func TestAcknowledgements(t *testing.T) {
	io, url := start(t, nil)
	sockets := make(chan *server.Socket, 1)
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		s.On("twice", func(e *server.Event) {
			if err := e.Ack(1); err != nil {
				t.Errorf("first Ack: %v", err)
			}
			if err := e.Ack(2); !errors.Is(err, server.ErrNoAck) {
				t.Errorf("second Ack: %v, want ErrNoAck", err)
			}
		})
		sockets <- s
	})
	c := siotest.Dial(t, url)
	c.Connect("/")
	s := receive(t, sockets)

	t.Run("of the server", func(t *testing.T) {
		id := c.Call("/", "echo", "a", json.Number("12345678901234567890"), []byte{1, 2})
		p := c.Next()
		if p.Type != packet.Ack || p.ID != id || !strings.HasPrefix(string(p.Args.Raw), `"a",12345678901234567890,`) ||
			string(p.Args.Attachments[0]) != "\x01\x02" {
			t.Errorf("got %s %d %s", p.Type, p.ID, p.Args.Raw)
		}
	})
	t.Run("once", func(t *testing.T) {
		c.Call("/", "twice")
		if p := c.Next(); string(p.Args.Raw) != "1" {
			t.Errorf("got %s", p.Args.Raw)
		}
		c.Quiet("/")
	})
	t.Run("of the client", func(t *testing.T) {
		go func() {
			p := c.Next()
			c.Send(&packet.Packet{Type: packet.Ack, Namespace: "/", HasID: true, ID: p.ID, Args: p.Args})
		}()
		a, err := s.EmitWithAck(context.Background(), "question", 42)
		var n int
		if err != nil || args.Bind(a, &n) != nil || n != 42 {
			t.Errorf("got %s, %v", a.Raw, err)
		}
	})
	t.Run("with a timeout", func(t *testing.T) {
		_, err := s.Timeout(time.Millisecond).EmitWithAck(context.Background(), "question")
		if !errors.Is(err, server.ErrTimeout) {
			t.Errorf("got %v, want ErrTimeout", err)
		}
		p := c.Next()
		// Too late, and of no harm.
		c.Send(&packet.Packet{Type: packet.Ack, Namespace: "/", HasID: true, ID: p.ID})
		c.Quiet("/")
	})
	t.Run("with a callback", func(t *testing.T) {
		got := make(chan error, 1)
		if err := s.EmitCall(time.Millisecond, func(_ server.Args, err error) { got <- err }, "question"); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, got); !errors.Is(err, server.ErrTimeout) {
			t.Errorf("got %v, want ErrTimeout", err)
		}
		c.Next()
	})
	t.Run("of a client that leaves", func(t *testing.T) {
		got := make(chan error, 1)
		go func() {
			_, err := s.EmitWithAck(context.Background(), "question")
			got <- err
		}()
		c.Next()
		c.Close()
		if err := receive(t, got); !errors.Is(err, server.ErrDisconnected) {
			t.Errorf("got %v, want ErrDisconnected", err)
		}
		until(t, "the socket is disconnected", func() bool { return !s.Connected() })
		if err := s.Emit("news"); !errors.Is(err, server.ErrDisconnected) {
			t.Errorf("Emit = %v, want ErrDisconnected", err)
		}
		if err := s.Context().Err(); err == nil {
			t.Error("the context of a disconnected socket goes on")
		}
	})
}

func TestListenerMayWaitForAcknowledgement(t *testing.T) {
	io, url := start(t, nil)
	got := make(chan error, 1)
	io.OnConnection(func(s *server.Socket) {
		s.On("ask me", func(*server.Event) {
			_, err := s.EmitWithAck(context.Background(), "question")
			got <- err
		})
	})
	c := siotest.Dial(t, url)
	c.Connect("/")
	c.Emit("/", "ask me")
	p := c.Next()
	c.Send(&packet.Packet{Type: packet.Ack, Namespace: "/", HasID: true, ID: p.ID})
	if err := receive(t, got); err != nil {
		t.Error(err)
	}
}

func TestListeners(t *testing.T) {
	io, url := start(t, nil)
	log := make(chan string, 100)
	sockets := make(chan *server.Socket, 1)
	var removed *server.Listener
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		s.OnAny(func(e *server.Event) { log <- "any " + e.Name() })
		removed = s.On("x", func(*server.Event) { log <- "first"; removed.Remove() })
		s.On("x", func(*server.Event) { log <- "second" })
		s.Once("x", func(*server.Event) { log <- "once" })
		s.OnAnyOutgoing(func(e *server.Event) { log <- "out " + e.Name() })
		s.Use(func(e *server.Event) error {
			if e.Name() == "forbidden" {
				return errors.New("no")
			}
			return nil
		})
		s.OnError(func(err error) { log <- "error " + err.Error() })
		s.On("gone", func(*server.Event) { log <- "not removed" })
		s.RemoveAllListeners("gone")
		sockets <- s
	})
	c := siotest.Dial(t, url)
	c.Connect("/")
	s := receive(t, sockets)
	c.Emit("/", "gone")
	c.Emit("/", "x")
	c.Emit("/", "forbidden")
	c.Emit("/", "x")
	c.Quiet("/")
	_ = s.Emit("one")
	_ = io.Emit("all")
	c.Expect("one")
	c.Expect("all")
	close(log)
	var got []string
	for l := range log {
		got = append(got, l)
	}
	want := []string{
		"any gone", "any x", "first", "second", "once", "error no", "any x", "second", "any echo", "out one", "out all",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestMiddleware(t *testing.T) {
	io, url := start(t, nil)
	var order []string
	io.Use(func(s *server.Socket) error {
		order = append(order, "first")
		s.SetData("ann")
		return s.Join("early")
	})
	io.Use(func(s *server.Socket) error {
		order = append(order, "second")
		var auth struct{ Token string }
		if err := s.Handshake().BindAuth(&auth); err != nil || auth.Token != "secret" {
			return &server.Error{Message: "not authorized", Data: map[string]int{"code": 7}}
		}
		return nil
	})
	joined := make(chan []string, 1)
	io.OnConnection(func(s *server.Socket) { joined <- append(s.Rooms(), s.Data().(string)) })

	c := siotest.Dial(t, url)
	c.Raw("40")
	if p := c.Next(); p.Type != packet.ConnectError || string(p.Data) != `{"message":"not authorized","data":{"code":7}}` {
		t.Errorf("got %s %s", p.Type, p.Data)
	}
	c.Raw("40/nowhere,")
	if p := c.Next(); p.Type != packet.ConnectError || p.Namespace != "/nowhere" || string(p.Data) != `{"message":"Invalid namespace"}` {
		t.Errorf("got %s %s", p.Type, p.Data)
	}
	c.Raw(`40{"token":"secret"}`) // the same connection may try again
	var open struct{ SID string }
	if p := c.Next(); p.Type != packet.Connect || json.Unmarshal(p.Data, &open) != nil || len(open.SID) != 20 {
		t.Fatalf("got %s %s", p.Type, p.Data)
	}
	if got, want := receive(t, joined), []string{open.SID, "early", "ann"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := []string{"first", "second", "first", "second"}; !slices.Equal(order, want) {
		t.Errorf("middleware ran in order %q", order)
	}
}

func TestDisconnect(t *testing.T) {
	type ended struct {
		reason       string
		before, then []string
	}
	tests := []struct {
		name   string
		end    func(c *siotest.Client, s *server.Socket)
		reason string
		told   packet.Type // what the client gets, Event for nothing
		closed bool
	}{
		{"by the client", func(c *siotest.Client, _ *server.Socket) { c.Raw("41") },
			"client namespace disconnect", packet.Event, false},
		{"by the server", func(_ *siotest.Client, s *server.Socket) { s.Disconnect() },
			"server namespace disconnect", packet.Disconnect, false},
		{"by the server, with the connection", func(_ *siotest.Client, s *server.Socket) { s.Disconnect(server.CloseConnection) },
			"server namespace disconnect", packet.Disconnect, true},
		{"by a connection that breaks", func(c *siotest.Client, _ *server.Socket) { c.Close() },
			"transport close", packet.Event, true},
		{"by a packet that is none", func(c *siotest.Client, _ *server.Socket) { c.Raw("4x") },
			"parse error", packet.Event, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			io, url := start(t, nil)
			done := make(chan ended, 2)
			sockets := make(chan *server.Socket, 1)
			io.OnConnection(func(s *server.Socket) {
				var before []string
				_ = s.Join("room")
				s.OnDisconnecting(func(string) { before = s.Rooms() })
				s.OnDisconnect(func(reason string) { done <- ended{reason, before, s.Rooms()} })
				sockets <- s
			})
			c := siotest.Dial(t, url)
			sid := c.Connect("/")
			tt.end(c, receive(t, sockets))
			got := receive(t, done)
			if got.reason != tt.reason || !slices.Equal(got.before, []string{sid, "room"}) || len(got.then) != 0 {
				t.Errorf("got %+v, want reason %q and rooms only while disconnecting", got, tt.reason)
			}
			if tt.told == packet.Disconnect {
				if p := c.Next(); p.Type != packet.Disconnect {
					t.Errorf("the client got %s, want DISCONNECT", p.Type)
				}
			}
			if tt.closed {
				c.Closed()
			} else if again := c.Connect("/"); again == sid {
				t.Error("the next socket has the same id")
			}
			want := 1 // the next one, as soon as its connection listener has run
			if tt.closed {
				want = 0
			}
			until(t, "nobody else is in the room", func() bool { return len(io.Sockets("room")) == want })
		})
	}
}

func TestEventsSentBeforeTheDisconnectWasKnown(t *testing.T) {
	io, url := start(t, nil)
	chat := io.Of("/chat")
	chat.OnConnection(echo)
	io.OnConnection(func(s *server.Socket) { s.Disconnect() })
	c := siotest.Dial(t, url)
	c.Connect("/chat")
	c.Connect("/")
	c.Emit("/", "too late")
	if p := c.Next(); p.Type != packet.Disconnect {
		t.Fatalf("got %s", p.Type)
	}
	c.Emit("/", "too late")
	c.Quiet("/chat") // the connection goes on
}

func TestEmitsBeforeDisconnectArrive(t *testing.T) {
	io, url := start(t, nil)
	io.OnConnection(func(s *server.Socket) {
		for i := range 50 {
			if err := s.Emit("n", i); err != nil {
				t.Error(err)
			}
		}
		s.Disconnect(server.CloseConnection)
	})
	for range 20 {
		c := siotest.Dial(t, url)
		c.Connect("/")
		for i := range 50 {
			c.Expect("n", i)
		}
		if p := c.Next(); p.Type != packet.Disconnect {
			t.Errorf("got %s", p.Type)
		}
		c.Closed()
	}
}

func TestPanicEndsItsConnectionOnly(t *testing.T) {
	io, url := start(t, nil)
	gone := make(chan string, 1)
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		s.On("panic", func(*server.Event) {
			s.OnDisconnect(func(reason string) { gone <- reason })
			panic("in a listener")
		})
	})
	other, c := siotest.Dial(t, url), siotest.Dial(t, url)
	other.Connect("/")
	c.Connect("/")
	c.Emit("/", "panic")
	c.Closed()
	if reason := receive(t, gone); reason != "forced close" {
		t.Errorf("reason %q", reason)
	}
	other.Quiet("/")
}

func TestGoroutinesKeepTheirOrder(t *testing.T) {
	io, url := start(t, nil)
	sockets := make(chan *server.Socket, 1)
	io.OnConnection(func(s *server.Socket) { sockets <- s })
	c := siotest.Dial(t, url)
	c.Connect("/")
	s := receive(t, sockets)
	const writers, each = 8, 500
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if i%2 == 0 {
					_ = s.Emit("n", w, i)
				} else {
					_ = io.To(s.ID()).Emit("n", w, i)
				}
			}
		})
	}
	next := make([]int, writers)
	for range writers * each {
		p := c.Next()
		var w, i int
		if err := args.Bind(p.Args, &w, &i); err != nil {
			t.Fatal(err)
		}
		if next[w] != i {
			t.Fatalf("goroutine %d: got %d, want %d", w, i, next[w])
		}
		next[w]++
	}
	wg.Wait()
}

func TestJoinRacingDisconnectLeavesNothing(t *testing.T) {
	io, url := start(t, nil)
	sockets := make(chan *server.Socket, 1)
	io.OnConnection(func(s *server.Socket) { sockets <- s })
	for i := range 50 {
		c := siotest.Dial(t, url)
		c.Connect("/")
		s := receive(t, sockets)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for n := 0; s.Join(fmt.Sprint("room", i, g, n)) == nil; n++ {
				}
			})
		}
		s.Disconnect(server.CloseConnection)
		wg.Wait()
		if left := io.Rooms(); len(left) != 0 {
			t.Fatalf("rooms left behind: %q", left)
		}
		c.Close()
	}
}
