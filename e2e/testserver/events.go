package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"siomq/server"
)

// register makes the namespaces: "/" and "/chat" alike, "/guarded" with a
// middleware that asks for a token.
func register(srv *server.Server) {
	t := &testServer{reasons: make(map[string][]string)}
	for _, n := range []*server.Namespace{srv.Of("/"), srv.Of("/chat"), srv.Of("/guarded")} {
		n.OnConnection(func(s *server.Socket) {
			t.rooms(n, s)
			t.replies(n, s)
			t.orders(n, s)
			t.endings(n, s)
		})
	}
	srv.Of("/guarded").Use(func(s *server.Socket) error {
		var auth struct {
			Token string `json:"token"`
		}
		if err := s.Handshake().BindAuth(&auth); err != nil || auth.Token != "let me in" {
			return &server.Error{Message: "not authorized", Data: map[string]int{"code": 401}}
		}
		return nil
	})
	srv.Of("/chat").UsePublish(func(p *server.Publish) error {
		if p.Event() == "forbidden" {
			return &server.Error{Message: "this event is not for devices"}
		}
		return nil
	})
}

type testServer struct {
	first atomic.Int64 // "first" events received

	mu      sync.Mutex // for the field below
	reasons map[string][]string
}

// relay is a destination with an event and its arguments.
type relay struct {
	rooms  []string
	event  string
	values []any // one server.Args for each argument, undecoded
}

func relayOf(e *server.Event) (relay, error) {
	var r relay
	if err := e.Bind(&r.rooms, &r.event); err != nil {
		return r, err
	}
	for i := 2; i < e.Len(); i++ {
		r.values = append(r.values, e.Arg(i))
	}
	return r, nil
}

// reply acknowledges with "ok" or the error, when the client wants to know.
func reply(e *server.Event, err error) {
	switch {
	case !e.WantsAck():
	case err != nil:
		_ = e.Ack(err.Error()) // a client that is gone does not want to know
	default:
		_ = e.Ack("ok")
	}
}

// rooms are the events "join", "leave", "rooms", and the relays: each has a
// list of rooms or ids, an event, and its arguments.
func (t *testServer) rooms(n *server.Namespace, s *server.Socket) {
	s.On("join", func(e *server.Event) {
		var rooms []string
		err := e.Bind(&rooms)
		if err == nil {
			err = s.Join(rooms...)
		}
		reply(e, err)
	})
	s.On("leave", func(e *server.Event) {
		var room string
		err := e.Bind(&room)
		s.Leave(room)
		reply(e, err)
	})
	s.On("rooms", func(e *server.Event) { _ = e.Ack(s.Rooms()) })

	relays := map[string]func(relay) *server.BroadcastOperator{
		"to":        func(r relay) *server.BroadcastOperator { return s.To(r.rooms...) },
		"in":        func(r relay) *server.BroadcastOperator { return n.In(r.rooms...) },
		"except":    func(r relay) *server.BroadcastOperator { return n.Except(r.rooms...) },
		"broadcast": func(relay) *server.BroadcastOperator { return s.Broadcast() },
		"all":       func(relay) *server.BroadcastOperator { return n.To() },
		"local":     func(r relay) *server.BroadcastOperator { return n.Local().To(r.rooms...) },
		"retain":    func(r relay) *server.BroadcastOperator { return n.Retain().To(r.rooms...) },
		"private":   func(r relay) *server.BroadcastOperator { return s.ToSocket(r.rooms...) },
	}
	for name, operator := range relays {
		s.On(name, func(e *server.Event) {
			r, err := relayOf(e)
			if err == nil {
				err = operator(r).Emit(r.event, r.values...)
			}
			reply(e, err)
		})
	}
}

// replies are "echo", and "call", which emits with an acknowledgement and
// acknowledges with what came back.
func (t *testServer) replies(_ *server.Namespace, s *server.Socket) {
	s.On("echo", func(e *server.Event) {
		if e.WantsAck() {
			_ = e.Ack(e.Args())
			return
		}
		_ = s.Emit("echo", e.Args())
	})
	s.On("transport", func(e *server.Event) { _ = e.Ack(s.Transport()) })
	s.On("handshake", func(e *server.Event) {
		h := s.Handshake()
		_ = e.Ack(map[string]any{"auth": h.Auth, "query": h.Query(), "address": h.Address(), "secure": h.Secure()})
	})
	// call(milliseconds, event, ...args)
	s.On("call", func(e *server.Event) {
		var ms int
		var event string
		if err := e.Bind(&ms, &event); err != nil {
			reply(e, err)
			return
		}
		var values []any
		for i := 2; i < e.Len(); i++ {
			values = append(values, e.Arg(i))
		}
		got, err := s.Timeout(time.Duration(ms)*time.Millisecond).EmitWithAck(context.Background(), event, values...)
		if err != nil {
			_ = e.Ack(map[string]string{"error": err.Error()})
			return
		}
		_ = e.Ack(got)
	})
}

// orders are the events whose order and number tests count.
func (t *testServer) orders(n *server.Namespace, s *server.Socket) {
	// Listeners of one socket run one at a time, so this needs no lock.
	var collected []any
	s.On("collect", func(e *server.Event) { collected = append(collected, e.Args()) })
	s.On("collected", func(e *server.Event) {
		_ = e.Ack(collected...)
		collected = nil
	})
	s.On("first", func(e *server.Event) {
		t.first.Add(1)
		reply(e, nil)
	})
	s.On("first count", func(e *server.Event) { _ = e.Ack(t.first.Load()) })
	// burst(room, n): n broadcasts back to back.
	s.On("burst", func(e *server.Event) {
		var room string
		var count int
		err := e.Bind(&room, &count)
		for i := 0; i < count && err == nil; i++ {
			err = n.To(room).Emit("burst", i)
		}
		reply(e, err)
	})
	// stream(n): n emits to the caller, with what it sends meanwhile echoed.
	s.On("stream", func(e *server.Event) {
		var count int
		err := e.Bind(&count)
		for i := 0; i < count && err == nil; i++ {
			err = s.Emit("stream", i)
		}
		reply(e, err)
	})
}

// endings are the events that end a socket, and "reasons", the reasons of the
// disconnects of the socket whose id is given.
func (t *testServer) endings(_ *server.Namespace, s *server.Socket) {
	s.OnDisconnect(func(reason string) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.reasons[s.ID()] = append(t.reasons[s.ID()], reason)
	})
	s.On("reasons", func(e *server.Event) {
		var id string
		_ = e.Bind(&id) // no id has no reasons
		t.mu.Lock()
		reasons := t.reasons[id]
		t.mu.Unlock()
		_ = e.Ack(append([]string{}, reasons...))
	})
	s.On("disconnect me", func(*server.Event) { s.Disconnect() })
	s.On("close me", func(*server.Event) { s.Disconnect(server.CloseConnection) })
	// goodbye(n): n emits followed at once by the end of the connection.
	s.On("goodbye", func(e *server.Event) {
		var count int
		_ = e.Bind(&count)
		for i := range count {
			_ = s.Emit("goodbye", i)
		}
		s.Disconnect(server.CloseConnection)
	})
	s.On("panic", func(*server.Event) { panic("a test asked for this panic") })
}
