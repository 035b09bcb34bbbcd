package brokertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"siomq/adapter/broker"
)

var handlerSentences = []sentence{
	{says: "a client's publish reaches a handler with all properties at each QoS", test: handlerProperties},
	{says: "a client's publishes reach a handler in order", test: handlerOrder},
	{says: "a client's publish reaches other clients", test: clientToClient},
	{says: "a handler is called for the topics that its filter matches", test: handlerFilters},
	{says: "a handler has run before the publish is acknowledged", test: handlerBeforeAck, when: handlersDecide},
	{says: "an error of a handler refuses the publish", test: handlerRefuses, when: handlersDecide},
	{says: "a publish by the server does not come back to its handlers", test: noEcho},
	{says: "remove waits for calls under way, and none follows", test: removeWaits},
	{says: "a handler may remove itself", test: removeFromHandler},
	{says: "a handler that blocks stops its client only", test: handlerBlocks, when: handlersDecide},
	{says: "a will reaches handlers and subscribers", test: willPublished},
}

func sorted(list []string) string {
	slices.Sort(list)
	return strings.Join(list, " ")
}

func cloned(m *broker.Message) *broker.Message {
	k := *m
	k.Payload, k.CorrelationData = slices.Clone(m.Payload), slices.Clone(m.CorrelationData)
	k.UserProperties = slices.Clone(m.UserProperties)
	return &k
}

func handlerProperties(s *suite) {
	got := make(chan *broker.Message, 3)
	s.handle("dev/#", func(m *broker.Message) error { got <- cloned(m); return nil })
	v5, v4 := s.connect(Connect{ClientID: "dev-5"}), s.connect(Connect{ClientID: "dev-4", Version: 4})
	for qos := range byte(3) {
		m := full("dev/1", qos)
		m.Retain = qos == 1
		if code := v5.Publish(m); code != 0 {
			s.Errorf("QoS %d: reason code %#x", qos, code)
		}
		g := receive(s, got, "call")
		if diff := sameMessage(g, m); diff != "" || g.ClientID != "dev-5" {
			s.Errorf("QoS %d by %q: %s", qos, g.ClientID, diff)
		}
		v4.Publish(m)
		g = receive(s, got, "call")
		want := &broker.Message{Topic: m.Topic, Payload: m.Payload, QoS: qos, Retain: m.Retain}
		if diff := sameMessage(g, want); diff != "" || g.ClientID != "dev-4" {
			s.Errorf("3.1.1, QoS %d by %q: %s", qos, g.ClientID, diff)
		}
	}
}

func handlerOrder(s *suite) {
	const n = 1000
	got := make(chan string, n)
	s.handle("#", func(m *broker.Message) error { got <- string(m.Payload); return nil })
	c := s.connect(Connect{})
	var all []byte
	for i := range n {
		m := &broker.Message{Topic: "t", Payload: fmt.Appendf(nil, "%d", i), QoS: byte(i % 2)}
		all = append(all, c.PublishBytes(m, uint16(i+1), Props{})...)
	}
	c.Send(all)
	for i := range n {
		if g := receive(s, got, "call"); g != fmt.Sprint(i) {
			s.Fatalf("call %d is for %q", i, g)
		}
	}
}

func clientToClient(s *suite) {
	a, b := s.subscriber(5, "room/#"), s.subscriber(4, "room/#")
	for qos := range byte(3) {
		m := full("room/1", qos)
		s.connect(Connect{}).Publish(m)
		p := a.Receive()
		if diff := same(&p, m); diff != "" {
			s.Errorf("QoS %d: %s", qos, diff)
		}
		if p := b.Receive(); p.QoS() != qos || string(p.Payload) != string(m.Payload) {
			s.Errorf("3.1.1, QoS %d: got %+v", qos, p)
		}
	}
}

func handlerFilters(s *suite) {
	var mu sync.Mutex
	var got []string
	for _, filter := range []string{"#", "+", "a", "a/#", "a/+", "+/b", "+/#", "a/b", "b/#", "$x/#"} {
		s.handle(filter, func(*broker.Message) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, filter)
			return nil
		})
	}
	c := s.connect(Connect{})
	tests := map[string]string{
		"a": "# + +/# a a/#", "a/b": "# +/# +/b a/# a/+ a/b", "b": "# + +/# b/#", "$x": "$x/#", "a/b/c": "# +/# a/#",
	}
	for topic, want := range tests {
		c.Publish(&broker.Message{Topic: topic, QoS: 1})
		s.eventually("handlers for "+topic, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(got) >= len(strings.Fields(want))
		})
		mu.Lock()
		if g := sorted(got); g != want {
			s.Errorf("topic %q: called for %q, want %q", topic, g, want)
		}
		got = nil
		mu.Unlock()
	}
}

func handlerBeforeAck(s *suite) {
	var ran atomic.Int32
	s.handle("h", func(*broker.Message) error { ran.Add(1); return nil })
	for _, version := range []byte{4, 5} {
		c := s.connect(Connect{Version: version})
		for qos := byte(1); qos <= 2; qos++ {
			id := c.NextID()
			ran.Store(0)
			c.Send(c.PublishBytes(&broker.Message{Topic: "h", QoS: qos}, id, Props{}))
			if c.Await(map[byte]byte{1: PUBACK, 2: PUBREC}[qos]); ran.Load() != 1 {
				s.Errorf("version %d, QoS %d: acknowledged before the handler ran", version, qos)
			}
		}
	}
}

func handlerRefuses(s *suite) {
	s.handle("no/#", func(*broker.Message) error { return fmt.Errorf("not now: %w", broker.ErrRefused) })
	all := s.subscriber(5, "#")
	for _, version := range []byte{4, 5} {
		c := s.connect(Connect{Version: version})
		for qos := range byte(3) {
			code := c.Publish(&broker.Message{Topic: "no/1", Payload: []byte("x"), QoS: qos, Retain: true})
			if version == 5 && qos > 0 && code != 0x87 {
				s.Errorf("QoS %d: reason code %#x, want 0x87", qos, code)
			}
		}
		if code := c.Publish(&broker.Message{Topic: "yes", QoS: 2}); code != 0 {
			s.Errorf("after a refusal: reason code %#x", code)
		}
		if p := all.Receive(); p.Topic != "yes" {
			s.Errorf("a refused publish was delivered: %q", p.Topic)
		}
	}
	s.subscriber(5, "no/#").Nothing()
}

func noEcho(s *suite) {
	got := make(chan string, 10)
	s.handle("#", func(m *broker.Message) error { got <- m.Topic; return nil })
	c := s.subscriber(5, "#")
	s.publish(&broker.Message{Topic: "own", QoS: 1})
	c.Receive()
	c.Publish(&broker.Message{Topic: "other", QoS: 1})
	if g := receive(s, got, "call"); g != "other" {
		s.Errorf("handler called for %q", g)
	}
}

func removeWaits(s *suite) {
	entered, leave := make(chan struct{}), make(chan struct{})
	var calls, inside atomic.Int32
	remove := s.handle("r", func(*broker.Message) error {
		calls.Add(1)
		inside.Add(1)
		defer inside.Add(-1)
		close(entered)
		<-leave
		return nil
	})
	c := s.connect(Connect{})
	c.Send(c.PublishBytes(&broker.Message{Topic: "r"}, 0, Props{}))
	receive(s, entered, "call")
	removed := make(chan int32)
	go func() {
		remove()
		removed <- inside.Load()
	}()
	select {
	case <-removed:
		s.Error("remove returned while the handler ran")
	case <-time.After(20 * time.Millisecond): // only makes a fault show more often
	}
	close(leave)
	if n := receive(s, removed, "return of remove"); n != 0 {
		s.Error("remove returned while the handler ran")
	}
	remove() // again
	c.Publish(&broker.Message{Topic: "r", QoS: 1})
	if n := calls.Load(); n != 1 {
		s.Errorf("called %d times", n)
	}
}

func removeFromHandler(s *suite) {
	var remove func()
	ready, done := make(chan struct{}), make(chan struct{}, 2)
	remove = s.handle("r", func(*broker.Message) error {
		<-ready
		remove()
		done <- struct{}{}
		return nil
	})
	close(ready)
	c := s.connect(Connect{})
	c.Publish(&broker.Message{Topic: "r", QoS: 1})
	receive(s, done, "return of remove")
	c.Publish(&broker.Message{Topic: "r", QoS: 1})
	if len(done) > 0 {
		s.Error("called after it was removed")
	}
}

func handlerBlocks(s *suite) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s.handle("block", func(*broker.Message) error { close(entered); <-leave; return nil })
	slow, quick, reader := s.connect(Connect{}), s.connect(Connect{}), s.subscriber(5, "t")
	slow.Send(slow.PublishBytes(&broker.Message{Topic: "block", QoS: 1}, 1, Props{}))
	receive(s, entered, "call")
	quick.Publish(&broker.Message{Topic: "t", QoS: 1})
	reader.Receive()
	s.publish(&broker.Message{Topic: "t", QoS: 1})
	reader.Receive()
	close(leave)
	slow.Await(PUBACK)
}

func willPublished(s *suite) {
	got := make(chan *broker.Message, 2)
	s.handle("will", func(m *broker.Message) error { got <- cloned(m); return nil })
	c := s.subscriber(5, "will")
	m := full("will", 1)
	m.Retain = true
	o := Connect{ClientID: "dying", Will: m, WillProps: Props{
		ContentType: m.ContentType, ResponseTopic: m.ResponseTopic, Correlation: m.CorrelationData,
		User: m.UserProperties, HasExpiry: true, Expiry: m.MessageExpiry,
	}}
	s.connect(o).Disconnect() // in an orderly way: no will
	if err := s.connect(o).Conn.Close(); err != nil {
		s.Fatal(err)
	}
	p := c.Receive()
	live := *m
	live.Retain = false
	if diff := same(&p, &live); diff != "" {
		s.Errorf("subscriber: %s", diff)
	}
	g := receive(s, got, "call")
	if diff := sameMessage(g, m); diff != "" || g.ClientID != "dying" {
		s.Errorf("handler, by %q: %s", g.ClientID, diff)
	}
	c.Nothing()
	if p := s.subscriber(5, "will").Receive(); string(p.Payload) != string(m.Payload) {
		s.Errorf("retained: got %q", p.Payload)
	}
	if len(got) > 0 {
		s.Error("the will was published twice")
	}
}

var errDenied = errors.New("denied by the test")
