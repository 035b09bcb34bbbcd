package server_test

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"siomq/internal/siotest"
	"siomq/server"
	"siomq/server/packet"
)

func TestBroadcast(t *testing.T) {
	io, url := start(t, nil)
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		server.Handle(s, "join", func(e *server.Event, names []string) {
			_ = e.Ack(s.Join(names...) == nil)
		})
	})
	join := func(c *siotest.Client, names ...string) {
		c.Call("/", "join", names)
		if p := c.Next(); p.Type != packet.Ack || string(p.Args.Raw) != "true" {
			t.Fatalf("join: %s %s", p.Type, p.Args.Raw)
		}
	}
	clients := make(map[string]*siotest.Client)
	sockets := make(map[string]*server.Socket)
	for _, name := range []string{"a", "b", "c", "d"} {
		c := siotest.Dial(t, url)
		sockets[name], clients[name] = io.Socket(c.Connect("/")), c
	}
	join(clients["a"], "red", "blue")
	join(clients["b"], "red")
	join(clients["c"], "blue", "")

	sid := func(name string) string { return sockets[name].ID() }
	tests := []struct {
		name string
		emit func(event string) error
		want string // who receives it
	}{
		{"everyone", func(e string) error { return io.Emit(e) }, "abcd"},
		{"a room", func(e string) error { return io.To("red").Emit(e) }, "ab"},
		{"two rooms, once each", func(e string) error { return io.To("red", "blue").Emit(e) }, "abc"},
		{"two rooms, chained", func(e string) error { return io.To("red").In("blue").Emit(e) }, "abc"},
		{"the room without a name", func(e string) error { return io.To("").Emit(e) }, "c"},
		{"except a room", func(e string) error { return io.Except("red").Emit(e) }, "cd"},
		{"a room except another", func(e string) error { return io.To("red").Except("blue").Emit(e) }, "b"},
		{"everyone else", func(e string) error { return sockets["a"].Broadcast().Emit(e) }, "bcd"},
		{"others in a room", func(e string) error { return sockets["a"].To("red").Emit(e) }, "b"},
		{"others except a room", func(e string) error { return sockets["a"].Except("blue").Emit(e) }, "bd"},
		{"a private message", func(e string) error { return io.To(sid("d")).Emit(e) }, "d"},
		{"a private message, by ToSocket", func(e string) error { return sockets["a"].ToSocket(sid("d")).Emit(e) }, "d"},
		{"local", func(e string) error { return io.Local().Emit(e) }, "abcd"},
		{"nobody", func(e string) error { return io.To("green").Emit(e) }, ""},
		{"itself", func(e string) error { return sockets["b"].Emit(e) }, "b"},
		{"an operator that is kept", func(e string) error {
			red := io.To("red")
			_ = red.To("blue") // a new one: red stays as it was
			return red.Emit(e)
		}, "ab"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.emit(tt.name); err != nil {
				t.Fatal(err)
			}
			for name, c := range clients {
				for _, to := range tt.want {
					if string(to) == name {
						c.Expect(tt.name)
					}
				}
				c.Quiet("/")
			}
		})
	}
}

func TestEmitRefuses(t *testing.T) {
	io, url := start(t, nil)
	io.OnConnection(echo)
	c := siotest.Dial(t, url)
	s := io.Socket(c.Connect("/"))
	for _, event := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		if err := io.Emit(event); !errors.Is(err, server.ErrReservedEvent) {
			t.Errorf("broadcast of %q: %v", event, err)
		}
		if err := s.Emit(event); !errors.Is(err, server.ErrReservedEvent) {
			t.Errorf("emit of %q: %v", event, err)
		}
	}
	if err := io.Emit("x", 1, func() {}); err == nil {
		t.Error("a func was encoded")
	}
	if err := io.QoS(3).Emit("x", 1); err == nil {
		t.Error("QoS 3 was taken")
	}
	if err := io.Emit("nan", math.NaN()); err != nil {
		t.Error(err)
	}
	c.Expect("nan", nil)
	c.Quiet("/")
}

func TestBinaryRelayedToTwoRooms(t *testing.T) {
	io, url := start(t, nil)
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		s.On("relay", func(e *server.Event) {
			for _, room := range []string{"one", "two"} {
				if err := io.To(room).Emit("data", room, e.Args(), "end"); err != nil {
					t.Error(err)
				}
			}
		})
	})
	c := siotest.Dial(t, url)
	s := io.Socket(c.Connect("/"))
	if err := s.Join("one", "two"); err != nil {
		t.Fatal(err)
	}
	blob := make([]byte, 300_000)
	for i := range blob {
		blob[i] = byte(i)
	}
	c.Emit("/", "relay", map[string]any{"deep": []any{blob, 1}}, []byte("second"))
	for _, room := range []string{"one", "two"} {
		c.Expect("data", room, map[string]any{"deep": []any{blob, 1}}, []byte("second"), "end")
	}
}

// TestBurst: 1,000 broadcasts at once reach each of 200 sockets, all and in order.
func TestBurst(t *testing.T) {
	io, url := start(t, nil)
	const sockets, broadcasts = 200, 1000
	clients := make([]*siotest.Client, sockets)
	for i := range clients {
		clients[i] = siotest.Dial(t, url)
		_ = io.Socket(clients[i].Connect("/")).Join("room")
	}
	go func() {
		for i := range broadcasts {
			if err := io.To("room").Emit("n", i); err != nil {
				t.Error(err)
			}
		}
	}()
	var wg sync.WaitGroup
	for n, c := range clients {
		wg.Go(func() {
			for i := range broadcasts {
				if p := c.Next(); string(p.Args.Raw) != fmt.Sprint(i) {
					t.Errorf("socket %d: got %s, want %d", n, p.Args.Raw, i)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestRoomChanges(t *testing.T) {
	io, url := start(t, nil)
	changes := make(chan server.RoomChange, 100)
	io.OnRoomChange(func(c server.RoomChange) {
		io.Rooms() // no lock is held
		changes <- c
	})
	io.OnConnection(func(s *server.Socket) { _ = s.Join("red") })
	c := siotest.Dial(t, url)
	sid := c.Connect("/")
	for _, want := range []server.RoomChange{
		{Kind: server.RoomCreated, Room: sid, ID: sid}, {Kind: server.RoomJoined, Room: sid, ID: sid},
		{Kind: server.RoomCreated, Room: "red", ID: sid}, {Kind: server.RoomJoined, Room: "red", ID: sid},
	} {
		if got := receive(t, changes); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	c.Close()
	for _, want := range []server.RoomChange{
		{Kind: server.RoomLeft, Room: sid, ID: sid}, {Kind: server.RoomDeleted, Room: sid},
		{Kind: server.RoomLeft, Room: "red", ID: sid}, {Kind: server.RoomDeleted, Room: "red"},
	} {
		if got := receive(t, changes); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
}
