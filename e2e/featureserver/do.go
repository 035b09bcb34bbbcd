package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"siomq/rooms"
	"siomq/rooms/args"
	"siomq/server"
)

// target is the first argument of "do": from whom, and to whom.
type target struct {
	All      bool         `json:"all"`  // from the namespace, not from the socket
	Self     bool         `json:"self"` // to the socket alone
	To       []rooms.Room `json:"to"`
	Except   []rooms.Room `json:"except"`
	Volatile bool         `json:"volatile"`
	Verbatim bool         `json:"verbatim"` // not compressed
	Timeout  milliseconds `json:"timeout"`
	Times    int          `json:"times"` // emit that often, with the number in front of the arguments
}

func (t *target) operator(s *server.Socket) *server.BroadcastOperator {
	b := s.Broadcast()
	if t.All {
		b = s.Namespace().To()
	}
	if len(t.To) > 0 {
		b = b.To(t.To...)
	}
	if len(t.Except) > 0 {
		b = b.Except(t.Except...)
	}
	if t.Volatile {
		b = b.Volatile()
	}
	if t.Verbatim {
		b = b.Compress(false)
	}
	return b.Timeout(t.Timeout.duration())
}

func (t *target) sender(s *server.Socket) *server.Sender {
	d := s.Timeout(t.Timeout.duration()).Compress(!t.Verbatim)
	if t.Volatile {
		d = d.Volatile()
	}
	return d
}

// do carries out do(target, method, ...arguments) and acknowledges with what came of it.
func (f *features) do(s *server.Socket, e *server.Event) {
	var t target
	var method string
	if err := e.Bind(&t, &method); err != nil {
		acknowledge(e, err)
		return
	}
	methods := map[string]func(*server.Socket, *server.Event, target){
		"emit": emit, "emitWithAck": emitWithAck, "fetch": fetch, "ask each": askEach,
		"join": join, "leave": leave, "disconnect": disconnect,
	}
	if methods[method] == nil {
		acknowledge(e, fmt.Errorf("no method %q", method))
		return
	}
	methods[method](s, e, t)
}

// eventOf returns the event and its arguments, undecoded, that follow the method.
func eventOf(e *server.Event) (name string, values []any, err error) {
	err = e.Bind(nil, nil, &name)
	for i := 3; i < e.Len(); i++ {
		values = append(values, e.Arg(i))
	}
	return name, values, err
}

func namesOf(e *server.Event) (names []rooms.Room, err error) {
	err = e.Bind(nil, nil, &names)
	return names, err
}

func emit(s *server.Socket, e *server.Event, t target) {
	name, values, err := eventOf(e)
	send := t.operator(s).Emit
	if t.Self {
		send = t.sender(s).Emit
	}
	for i := 0; i < t.Times && err == nil; i++ {
		err = send(name, append([]any{i}, values...)...)
	}
	if t.Times == 0 && err == nil {
		err = send(name, values...)
	}
	acknowledge(e, err)
}

func emitWithAck(s *server.Socket, e *server.Event, t target) {
	name, values, err := eventOf(e)
	if err != nil {
		acknowledge(e, err)
		return
	}
	if t.Self {
		got, err := t.sender(s).EmitWithAck(context.Background(), name, values...)
		acknowledge(e, err, list(got))
		return
	}
	all, err := t.operator(s).EmitWithAck(context.Background(), name, values...)
	// The arguments of each acknowledgement, as a list.
	lists := [][]any{}
	for _, got := range all {
		lists = append(lists, list(got))
	}
	if errors.Is(err, server.ErrTimeout) {
		err = errors.New("timeout")
	}
	acknowledge(e, err, lists)
}

// fetch describes the sockets that are found, the first by id first.
func fetch(s *server.Socket, e *server.Event, t target) {
	found, err := t.operator(s).FetchSockets(context.Background())
	all := []map[string]any{}
	for _, r := range found {
		names := slices.Sorted(slices.Values(r.Rooms()))
		all = append(all, map[string]any{
			"id": r.ID(), "rooms": names, "data": r.Data(), "query": r.Handshake().Query(), "auth": r.Handshake().Auth,
		})
	}
	acknowledge(e, err, all)
}

// askEach emits to each of the sockets that are found, with an acknowledgement,
// and answers with [id, arguments] or [id, null, error] of each.
func askEach(s *server.Socket, e *server.Event, t target) {
	name, values, err := eventOf(e)
	if err != nil {
		acknowledge(e, err)
		return
	}
	found, err := t.operator(s).FetchSockets(context.Background())
	answers := [][]any{}
	for _, r := range found {
		got, err := r.Timeout(max(t.Timeout.duration(), time.Millisecond)).EmitWithAck(context.Background(), name, values...)
		if err != nil {
			answers = append(answers, []any{r.ID(), nil, err.Error()})
			continue
		}
		answers = append(answers, []any{r.ID(), list(got)})
	}
	acknowledge(e, err, answers)
}

func join(s *server.Socket, e *server.Event, t target) {
	names, err := namesOf(e)
	switch {
	case err != nil:
	case t.Self:
		err = s.Join(names...)
	default:
		t.operator(s).SocketsJoin(names...)
	}
	acknowledge(e, err)
}

func leave(s *server.Socket, e *server.Event, t target) {
	names, err := namesOf(e)
	switch {
	case err != nil:
	case t.Self:
		for _, name := range names {
			s.Leave(name)
		}
	default:
		t.operator(s).SocketsLeave(names...)
	}
	acknowledge(e, err)
}

// disconnect (close): of the connection too, when close is true.
func disconnect(s *server.Socket, e *server.Event, t target) {
	var whole bool
	if err := e.Bind(nil, nil, &whole); err != nil {
		acknowledge(e, err)
		return
	}
	var also []server.DisconnectOption
	if whole {
		also = append(also, server.CloseConnection)
	}
	if t.Self {
		s.Disconnect(also...)
		return
	}
	t.operator(s).DisconnectSockets(also...)
	acknowledge(e, nil)
}

// list returns the arguments as the elements of a list, undecoded.
func list(a server.Args) []any {
	all := make([]any, a.N)
	for i := range all {
		all[i] = args.At(a, i)
	}
	return all
}
