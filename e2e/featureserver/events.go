package main

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"go.uber.org/zap"

	"siomq/server"
)

// connected gives a socket the events by which a test commands the server:
//
//	ask         "journal", "namespaces", "socket", ...: see answers
//	do          see do.go
//	echo        the arguments, in the acknowledgement or as an event
//	relay       the arguments, undecoded, to everybody else as "relayed"
func (f *features) connected(s *server.Socket) {
	f.middleware(s)
	f.watch(s)
	f.values(s)
	s.On("do", func(e *server.Event) { f.do(s, e) })
	s.On("decide", func(e *server.Event) {
		var name, decision string
		err := e.Bind(&name, &decision)
		if err == nil {
			err = f.decisions.make(e.Context(), name, decision)
		}
		acknowledge(e, err)
	})
	s.On("journal", func(e *server.Event) {
		var kind string
		_ = e.Bind(&kind) // an unknown kind has no entries
		_ = e.Ack(f.journal.of(kind))
	})
	s.On("namespaces", func(e *server.Event) {
		names := []string{}
		for _, p := range f.parents {
			for _, n := range p.Namespaces() {
				names = append(names, n.Name())
			}
		}
		_ = e.Ack(names)
	})
	s.On("connections", func(e *server.Event) { _ = e.Ack(f.server.Connections()) })
	s.On("socket", func(e *server.Event) {
		h := s.Handshake()
		_ = e.Ack(map[string]any{
			"id": s.ID(), "namespace": s.Namespace().Name(), "rooms": s.Rooms(), "data": s.Data(), "auth": h.Auth,
			"recovered": s.Recovered(), "transport": s.Transport(), "headers": h.Headers(), "query": h.Query(),
		})
	})
	s.On("set data", func(e *server.Event) {
		var v any
		err := e.Bind(&v)
		s.SetData(v)
		acknowledge(e, err)
	})
	s.On("panic", func(*server.Event) { panic("a test asked for this panic") })
	_ = s.Emit("welcome", s.ID()) // it may be gone already
}

// acknowledge answers with "ok", or with the text of the error as {error: text}.
func acknowledge(e *server.Event, err error, values ...any) {
	switch {
	case !e.WantsAck():
	case err != nil:
		_ = e.Ack(map[string]any{"error": err.Error(), "values": values}) // a client that is gone does not want to know
	case len(values) > 0:
		_ = e.Ack(values...)
	default:
		_ = e.Ack("ok")
	}
}

// middleware adds two functions for incoming events: "forbidden" is refused by
// the first, "slow" waits in the second for a decision.
func (f *features) middleware(s *server.Socket) {
	s.Use(func(e *server.Event) error {
		if e.Name() == "forbidden" {
			return &server.Error{Message: "not for you", Data: map[string]string{"event": e.Name()}}
		}
		return nil
	})
	s.Use(func(e *server.Event) error {
		if e.Name() != "slow" {
			return nil
		}
		var name string
		if err := e.Bind(&name); err != nil {
			return err
		}
		if f.decisions.wait(name) != "yes" {
			return errors.New("decided against")
		}
		return nil
	})
	s.OnError(func(err error) { _ = s.Emit("refused", err.Error()) })
	s.On("forbidden", func(*server.Event) { _ = s.Emit("got through", "forbidden") })
	s.On("slow", func(*server.Event) { _ = s.Emit("got through", "slow") })
}

// watch writes the journal of a socket.
func (f *features) watch(s *server.Socket) {
	s.OnDisconnecting(func(reason string) { f.journal.note("disconnecting", s.ID(), reason, s.Rooms()) })
	s.OnDisconnect(func(reason string) {
		f.log.Info("disconnect", zap.String("socket", s.ID()), zap.String("reason", reason)) // for when nobody can ask
		f.journal.note("disconnect", s.ID(), reason, len(s.Rooms()), s.Connected())
	})
	var incoming, outgoing *server.Listener
	s.On("watch", func(e *server.Event) {
		incoming = s.OnAny(func(e *server.Event) { f.journal.note("incoming "+s.ID(), e.Name(), list(e.Args())) })
		outgoing = s.OnAnyOutgoing(func(e *server.Event) { f.journal.note("outgoing "+s.ID(), e.Name(), list(e.Args())) })
		acknowledge(e, nil)
	})
	s.On("unwatch", func(e *server.Event) {
		incoming.Remove()
		outgoing.Remove()
		acknowledge(e, nil)
	})
}

// values are the events about what arguments become.
func (f *features) values(s *server.Socket) {
	s.On("echo", func(e *server.Event) {
		if e.WantsAck() {
			_ = e.Ack(e.Args())
			return
		}
		_ = s.Emit("echo", e.Args())
	})
	s.On("relay", func(e *server.Event) { acknowledge(e, s.Broadcast().Emit("relayed", e.Args())) })
	// decode acknowledges with what became of the arguments in between.
	s.On("decode", func(e *server.Event) {
		values := make([]any, e.Len())
		ptrs := make([]any, e.Len())
		for i := range values {
			ptrs[i] = &values[i]
		}
		acknowledge(e, e.Bind(ptrs...), values...)
	})
	// text acknowledges with the JSON that the server has of the arguments.
	s.On("text", func(e *server.Event) { _ = e.Ack(string(e.Args().Raw)) })
	// large(n) acknowledges with a string and binary data of n bytes each.
	s.On("large", func(e *server.Event) {
		var n int
		err := e.Bind(&n)
		acknowledge(e, err, strings.Repeat("x", n), make([]byte, n))
	})
	s.On("special", func(e *server.Event) {
		type photo struct {
			Name   string            `json:"name"`
			Bytes  []byte            `json:"bytes"`
			Pages  [][]byte          `json:"pages"`
			Tags   map[string][]byte `json:"tags"`
			Hidden string            `json:"-"`
			Empty  *int              `json:"empty,omitempty"`
		}
		_ = e.Ack(
			[]any{math.NaN(), math.Inf(1), math.Inf(-1)},
			photo{Name: "a<b>&c", Bytes: []byte{1, 2}, Pages: [][]byte{{3}, {}}, Tags: map[string][]byte{"x": {4}}, Hidden: "no"},
			time.Date(2024, 2, 29, 12, 30, 0, 0, time.UTC),
			json.Number("123456789012345678901234567890"),
			nil,
			uint64(math.MaxUint64),
		)
	})
}
