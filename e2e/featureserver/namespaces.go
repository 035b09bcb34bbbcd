package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"go.uber.org/zap"

	"siomq/server"
)

// register makes the namespaces of the server:
//
//	/           for everything
//	/dynamic-*  by a pattern
//	/token-*    by a function that asks for a token
//	/asked-*    by a function that waits until a test decides
//	/guarded    behind three middleware functions
func register(srv *server.Server, j *journal, log *zap.Logger) {
	f := &features{server: srv, journal: j, log: log}
	srv.OnNewNamespace(func(n *server.Namespace) { j.note("new namespace", n.Name()) })
	for _, n := range []*server.Namespace{srv.Namespace, srv.Of("/guarded")} {
		n.OnConnection(f.connected)
	}
	f.guard(srv.Of("/guarded"))
	srv.OnRoomChange(func(c server.RoomChange) {
		if strings.HasPrefix(c.Room, "watched") {
			j.note("room", [...]string{"create", "join", "leave", "delete"}[c.Kind], c.Room, c.ID)
		}
	})

	f.parents = []*server.ParentNamespace{
		srv.OfPattern(regexp.MustCompile(`^/dynamic-\w+$`)),
		srv.OfFunc(func(name string, auth json.RawMessage) bool {
			var a struct {
				Token string `json:"token"`
			}
			return strings.HasPrefix(name, "/token-") && json.Unmarshal(auth, &a) == nil && a.Token == "let me in"
		}),
		srv.OfFunc(func(name string, _ json.RawMessage) bool {
			return strings.HasPrefix(name, "/asked-") && f.decisions.wait(name) == "yes"
		}),
	}
	for _, p := range f.parents {
		p.Use(func(s *server.Socket) error {
			s.SetData("by the parent's middleware")
			return nil
		})
		p.OnConnection(f.connected)
	}
}

// features is what the handlers share.
type features struct {
	server    *server.Server
	journal   *journal
	log       *zap.Logger
	parents   []*server.ParentNamespace
	decisions decisions
}

// guard adds middleware that refuses by the auth of the client: {refuse: n} is
// refused by the n-th function; with {ask: name}, the second waits for a decision.
func (f *features) guard(n *server.Namespace) {
	type wish struct {
		Refuse int    `json:"refuse"`
		Ask    string `json:"ask"`
	}
	step := func(number int, decide func(*server.Socket, wish) error) {
		n.Use(func(s *server.Socket) error {
			var w wish
			if err := s.Handshake().BindAuth(&w); err != nil {
				return err
			}
			f.journal.note("middleware", s.ID(), number)
			if w.Refuse == number {
				return decide(s, w)
			}
			if number == 2 && w.Ask != "" && f.decisions.wait(w.Ask) != "yes" {
				return errors.New("decided against")
			}
			return nil
		})
	}
	step(1, func(*server.Socket, wish) error { return errors.New("refused by the first") })
	step(2, func(*server.Socket, wish) error {
		return &server.Error{Message: "refused by the second", Data: map[string]any{"code": 42, "why": []string{"a", "ü"}}}
	})
	n.Use(func(s *server.Socket) error { return s.Join("early") })
	step(3, func(*server.Socket, wish) error {
		return fmt.Errorf("third: %w", &server.Error{Message: "refused by the third", Data: "text"})
	})
}

// decisions are made by tests, for functions that wait for them.
type decisions struct {
	mu     sync.Mutex // for the field below
	byName map[string]chan string
}

func (d *decisions) channel(name string) chan string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byName == nil {
		d.byName = make(map[string]chan string)
	}
	if d.byName[name] == nil {
		d.byName[name] = make(chan string)
	}
	return d.byName[name]
}

// wait returns what make is told.
func (d *decisions) wait(name string) string { return <-d.channel(name) }

// make waits for somebody who waits.
func (d *decisions) make(ctx context.Context, name, decision string) error {
	select {
	case d.channel(name) <- decision:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
