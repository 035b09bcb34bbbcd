package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"siomq/internal/siotest"
	"siomq/rooms/args"
	"siomq/server"
	"siomq/server/packet"
)

func TestBroadcastWithAcknowledgements(t *testing.T) {
	io, url := start(t, nil)
	io.OnConnection(echo)
	var clients []*siotest.Client
	for range 3 {
		c := siotest.Dial(t, url)
		c.Connect("/")
		clients = append(clients, c)
	}
	answer := func(c *siotest.Client, values ...any) {
		p := c.Next()
		a, _ := args.Encode(values...)
		c.Send(&packet.Packet{Type: packet.Ack, Namespace: "/", HasID: true, ID: p.ID, Args: a})
	}
	t.Run("of all, with any number of arguments", func(t *testing.T) {
		go answer(clients[0])
		go answer(clients[1], "one")
		go answer(clients[2], "one", 2)
		got, err := io.EmitWithAck(context.Background(), "question")
		if err != nil || len(got) != 3 {
			t.Fatalf("got %v, %v", got, err)
		}
		n := []int{got[0].N, got[1].N, got[2].N}
		if slices.Sort(n); !slices.Equal(n, []int{0, 1, 2}) {
			t.Errorf("numbers of arguments %v", n)
		}
	})
	t.Run("of some, before the timeout", func(t *testing.T) {
		go answer(clients[0], "here")
		got, err := io.Timeout(200*time.Millisecond).EmitWithAck(context.Background(), "question")
		if !errors.Is(err, server.ErrTimeout) || len(got) != 1 || string(got[0].Raw) != `"here"` {
			t.Errorf("got %v, %v", got, err)
		}
		clients[1].Next()
		clients[2].Next()
	})
	t.Run("of a client that leaves", func(t *testing.T) {
		go answer(clients[0], 1)
		go answer(clients[1], 2)
		go func() { clients[2].Next(); clients[2].Close() }()
		got, err := io.EmitWithAck(context.Background(), "question")
		if !errors.Is(err, server.ErrDisconnected) || len(got) != 2 {
			t.Errorf("got %v, %v", got, err)
		}
	})
	t.Run("of nobody", func(t *testing.T) {
		got, err := io.To("empty").EmitWithAck(context.Background(), "question")
		if err != nil || len(got) != 0 {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestRemoteSockets(t *testing.T) {
	io, url := start(t, nil)
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		s.SetData(7)
	})
	a, b := siotest.Dial(t, url), siotest.Dial(t, url)
	sidA, sidB := a.Connect("/"), b.Connect("/")
	a.Quiet("/")
	b.Quiet("/")
	io.To(sidA).SocketsJoin("red", "blue")
	if got := io.Socket(sidA).Rooms(); !slices.Equal(got, []string{sidA, "red", "blue"}) {
		t.Errorf("rooms %q", got)
	}
	all, err := io.FetchSockets(context.Background())
	if err != nil || len(all) != 2 {
		t.Fatalf("FetchSockets = %v, %v", all, err)
	}
	red, _ := io.In("red").FetchSockets(context.Background())
	if len(red) != 1 || red[0].ID() != sidA || red[0].Data() != 7 || !slices.Equal(red[0].Rooms(), []string{sidA, "red", "blue"}) {
		t.Fatalf("in red: %+v", red)
	}
	if err := red[0].Emit("hello"); err != nil {
		t.Error(err)
	}
	a.Expect("hello")
	go func() {
		p := a.Next()
		a.Send(&packet.Packet{Type: packet.Ack, Namespace: "/", HasID: true, ID: p.ID, Args: p.Args})
	}()
	if got, err := red[0].EmitWithAck(context.Background(), "question", 1); err != nil || string(got.Raw) != "1" {
		t.Errorf("EmitWithAck = %s, %v", got.Raw, err)
	}
	if _, err := red[0].Timeout(time.Millisecond).EmitWithAck(context.Background(), "question"); !errors.Is(err, server.ErrTimeout) {
		t.Errorf("with a timeout: %v", err)
	}
	red[0].Leave("red")
	io.SocketsLeave("blue")
	if got := io.Rooms(); len(got) != 0 {
		t.Errorf("rooms %q", got)
	}
	io.Except(sidB).DisconnectSockets(server.CloseConnection)
	a.Closed()
	if _, err := red[0].EmitWithAck(context.Background(), "question"); !errors.Is(err, server.ErrDisconnected) {
		t.Errorf("to one that is gone: %v", err)
	}
	b.Quiet("/")
}

func TestDynamicNamespaces(t *testing.T) {
	io, url := start(t, &server.Options{CleanupEmptyChildNamespaces: true})
	made := make(chan string, 10)
	io.OnNewNamespace(func(n *server.Namespace) { made <- n.Name() })
	rooms := io.OfPattern(regexp.MustCompile(`^/room-\d+$`))
	rooms.Use(func(s *server.Socket) error {
		if s.Namespace().Name() == "/room-13" {
			return errors.New("unlucky")
		}
		return nil
	})
	rooms.OnConnection(echo)
	slow := io.OfFunc(func(name string, auth json.RawMessage) bool {
		time.Sleep(time.Millisecond)
		return string(auth) == `{"key":"`+name+`"}`
	})
	slow.OnConnection(echo)

	c := siotest.Dial(t, url)
	sid := c.Connect("/room-1")
	c.Connect("/room-2")
	if got := []string{receive(t, made), receive(t, made)}; !slices.Equal(got, []string{"/room-1", "/room-2"}) {
		t.Errorf("made %q", got)
	}
	_ = rooms.Emit("all", 1)
	for range 2 {
		c.Expect("all", 1)
	}
	for _, tt := range []struct{ packet, namespace, want string }{
		{"40/room-x,", "/room-x", `{"message":"Invalid namespace"}`},
		{"40/room-13,", "/room-13", `{"message":"unlucky"}`},
		{`40/deal,{"key":"/wrong"}`, "/deal", `{"message":"Invalid namespace"}`},
	} {
		c.Raw(tt.packet)
		if p := c.Next(); p.Type != packet.ConnectError || p.Namespace != tt.namespace || string(p.Data) != tt.want {
			t.Errorf("%s: got %s %q %s", tt.packet, p.Type, p.Namespace, p.Data)
		}
	}
	c.Raw(`40/deal,{"key":"/deal"}`)
	if p := c.Next(); p.Type != packet.Connect || p.Namespace != "/deal" {
		t.Errorf("got %s %q", p.Type, p.Namespace)
	}
	c.Quiet("/deal")

	if n := len(rooms.Namespaces()); n != 2 {
		t.Errorf("%d namespaces, want 2: that of the refused socket is gone", n)
	}
	io.Of("/room-1").Socket(sid).Disconnect()
	if p := c.Next(); p.Type != packet.Disconnect || p.Namespace != "/room-1" {
		t.Errorf("got %s %q", p.Type, p.Namespace)
	}
	until(t, "the empty namespace is gone", func() bool { return len(rooms.Namespaces()) == 1 })
	if again := c.Connect("/room-1"); again == sid {
		t.Error("the same socket id")
	}
	c.Quiet("/room-1")
}
