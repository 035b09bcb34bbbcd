// Package brokertest is the suite that every broker.Broker passes, and the small
// MQTT client it is written with.
//
// [Run] runs one test for each sentence of behaviour; a sentence that an
// implementation does not promise is left out by its [Abilities], never changed.
package brokertest

import (
	"context"
	"net"
	"testing"
	"time"

	"siomq/adapter/broker"
)

// Subject is a broker under test. Close is called by the suite.
type Subject struct {
	Broker broker.Broker
	// Dial makes a connection that MQTT clients use.
	Dial func() (net.Conn, error)
}

// Abilities say what a Broker promises beyond the interface. What it shows by
// implementing broker.Interest, Guarded and Clients needs no ability.
type Abilities struct {
	// HandlersDecide: handlers run before a publish is acknowledged, and their
	// error refuses it. A broker elsewhere has acknowledged before we hear of it.
	HandlersDecide bool
}

type sentence struct {
	says string
	test func(*suite)
	when func(Abilities, broker.Broker) bool // nil: always
}

// Run tests the brokers that open makes, one for each sentence.
func Run(t *testing.T, open func(t *testing.T) Subject, can Abilities) {
	lists := [][]sentence{deliverySentences, handlerSentences, accessSentences, clientSentences}
	for _, list := range lists {
		for _, s := range list {
			t.Run(s.says, func(t *testing.T) {
				t.Helper()
				subject := open(t)
				t.Cleanup(func() {
					ctx, cancel := context.WithTimeout(context.Background(), Patience)
					defer cancel()
					if err := subject.Broker.Close(ctx); err != nil {
						t.Errorf("close: %v", err)
					}
				})
				if s.when != nil && !s.when(can, subject.Broker) {
					t.Skip("not an ability of this broker")
				}
				s.test(&suite{T: t, Subject: subject})
			})
		}
	}
}

func handlersDecide(can Abilities, _ broker.Broker) bool { return can.HandlersDecide }

func isGuarded(_ Abilities, b broker.Broker) bool { _, ok := b.(broker.Guarded); return ok }

func hasInterest(_ Abilities, b broker.Broker) bool { _, ok := b.(broker.Interest); return ok }

func isRetainer(_ Abilities, b broker.Broker) bool { _, ok := b.(broker.Retainer); return ok }

func hasClients(_ Abilities, b broker.Broker) bool { _, ok := b.(broker.Clients); return ok }

// suite is one test.
type suite struct {
	*testing.T
	Subject

	ready bool
}

func (s *suite) conn() net.Conn {
	s.Helper()
	conn, err := s.Subject.Dial()
	if err != nil {
		s.Fatal(err)
	}
	return conn
}

// guard installs access functions.
func (s *suite) guard(a broker.Access) {
	s.ready = true
	if g, ok := s.Broker.(broker.Guarded); ok {
		g.SetAccess(a)
	}
}

// connect returns a client; access is open unless guard was called.
func (s *suite) connect(o Connect) *Client {
	s.Helper()
	if !s.ready {
		s.guard(broker.Access{})
	}
	return Dial(s.T, s.conn(), o)
}

// subscriber returns a client with one subscription at QoS 2.
func (s *suite) subscriber(version byte, filter string) *Client {
	s.Helper()
	c := s.connect(Connect{Version: version})
	c.Subscribe(filter, 2)
	return c
}

func (s *suite) publish(m *broker.Message) {
	s.Helper()
	if err := s.Broker.Publish(s.ctx(), m); err != nil {
		s.Fatalf("publish %q: %v", m.Topic, err)
	}
}

func (s *suite) handle(filter string, h broker.Handler) (remove func()) {
	s.Helper()
	remove, err := s.Broker.Handle(s.ctx(), filter, h)
	if err != nil {
		s.Fatalf("handle %q: %v", filter, err)
	}
	return remove
}

func (s *suite) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	s.Cleanup(cancel)
	return ctx
}

// receive takes a value from a channel, with patience.
func receive[T any](s *suite, ch <-chan T, what string) T {
	s.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(Patience):
		s.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// eventually waits until ok, for what happens after the broker has answered.
func (s *suite) eventually(what string, ok func() bool) {
	s.Helper()
	deadline := time.Now().Add(Patience)
	for !ok() {
		if time.Now().After(deadline) {
			s.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
