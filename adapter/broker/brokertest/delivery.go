package brokertest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"siomq/adapter/broker"
)

var deliverySentences = []sentence{
	{says: "a publish reaches an MQTT 5 subscriber with all properties at each QoS", test: publishProperties},
	{says: "a publish reaches a 3.1.1 subscriber at each QoS", test: publish311},
	{says: "the QoS delivered is the lower of publish and subscription", test: lowerQoS},
	{says: "publishes by one goroutine arrive in order", test: publishOrder},
	{says: "a publish copies what it keeps", test: publishCopies},
	{says: "a retained message is given to later subscribers until it is cleared", test: retainedLife},
	{says: "a subscriber is told of retained messages that its wildcard matches", test: retainedWildcards},
	{says: "a broker shows its retained messages", test: retainedShown, when: isRetainer},
	{says: "a filter matches as section 4.7 says", test: wildcards},
	{says: "a topic that is not valid cannot be published to", test: invalidTopics},
	{says: "an empty payload arrives", test: emptyPayload},
	{says: "a client that never reads delays nobody", test: slowSubscriber},
}

// full has every property of a Message.
func full(topic string, qos byte) *broker.Message {
	return &broker.Message{
		Topic: topic, Payload: []byte{0, 1, 0xff, 'x'}, QoS: qos,
		ContentType: "application/octet-stream", ResponseTopic: "re/ply", CorrelationData: []byte{1, 2, 0},
		MessageExpiry:  3600,
		UserProperties: []broker.Property{{Key: "k", Value: "1"}, {Key: "k", Value: "2"}, {Key: "", Value: "é"}},
	}
}

// same reports how p, with the properties of MQTT 5, differs from m.
func same(p *Packet, m *broker.Message) string {
	got := broker.Message{
		Topic: p.Topic, Payload: p.Payload, QoS: p.QoS(), Retain: p.Retain(),
		ContentType: p.Props.ContentType, ResponseTopic: p.Props.ResponseTopic, CorrelationData: p.Props.Correlation,
		MessageExpiry: p.Props.Expiry, UserProperties: p.Props.User,
	}
	return sameMessage(&got, m)
}

func sameMessage(got, want *broker.Message) string {
	g, w := *got, *want
	g.ClientID, w.ClientID = "", ""
	if string(g.Payload) != string(w.Payload) || string(g.CorrelationData) != string(w.CorrelationData) {
		return fmt.Sprintf("got %+v, want %+v", g, w)
	}
	g.Payload, w.Payload, g.CorrelationData, w.CorrelationData = nil, nil, nil, nil
	if w.MessageExpiry > 0 && g.MessageExpiry == w.MessageExpiry-1 { // a second may pass
		g.MessageExpiry++
	}
	if !reflect.DeepEqual(g, w) {
		return fmt.Sprintf("got %+v, want %+v", g, w)
	}
	return ""
}

func publishProperties(s *suite) {
	c := s.subscriber(5, "a/+")
	for qos := range byte(3) {
		m := full("a/b", qos)
		s.publish(m)
		p := c.Receive()
		if diff := same(&p, m); diff != "" {
			s.Errorf("QoS %d: %s", qos, diff)
		}
	}
}

func publish311(s *suite) {
	c := s.subscriber(4, "a/+")
	for qos := range byte(3) {
		s.publish(full("a/b", qos))
		p := c.Receive()
		if p.Topic != "a/b" || string(p.Payload) != "\x00\x01\xffx" || p.QoS() != qos || p.Retain() {
			s.Errorf("QoS %d: got %+v", qos, p)
		}
	}
}

func lowerQoS(s *suite) {
	c := s.connect(Connect{})
	for sub := range byte(3) {
		c.Subscribe(fmt.Sprintf("q/%d/#", sub), sub)
		for pub := range byte(3) {
			s.publish(&broker.Message{Topic: fmt.Sprintf("q/%d/%d", sub, pub), QoS: pub})
			if p := c.Receive(); p.QoS() != min(sub, pub) {
				s.Errorf("subscribed at %d, published at %d: received at %d", sub, pub, p.QoS())
			}
		}
	}
}

func publishOrder(s *suite) {
	const n = 2000
	for qos := range byte(3) {
		c := s.subscriber(5, "order")
		sent := make(chan error, 1)
		go func() {
			for i := range n {
				m := &broker.Message{Topic: "order", Payload: fmt.Appendf(nil, "%d", i), QoS: qos}
				if err := s.Broker.Publish(s.Context(), m); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		for i := range n {
			if p := c.Receive(); string(p.Payload) != fmt.Sprint(i) {
				s.Fatalf("QoS %d: message %d is %q", qos, i, p.Payload)
			}
		}
		if err := receive(s, sent, "end of publishing"); err != nil {
			s.Fatal(err)
		}
		c.Disconnect()
	}
}

func publishCopies(s *suite) {
	c := s.connect(Connect{Props: Props{ReceiveMaximum: 1}})
	c.Subscribe("copy", 1)
	payload := []byte("one")
	m := &broker.Message{Topic: "copy", Payload: payload, QoS: 1, CorrelationData: payload, Retain: true}
	s.publish(m)
	s.publish(m) // waits until the first is acknowledged
	copy(payload, "two")
	for i := range 2 {
		if p := c.Receive(); string(p.Payload) != "one" || string(p.Props.Correlation) != "one" {
			s.Errorf("message %d: got %q with %q", i, p.Payload, p.Props.Correlation)
		}
	}
	if p := s.subscriber(5, "copy").Receive(); string(p.Payload) != "one" {
		s.Errorf("retained: got %q", p.Payload)
	}
}

func retainedLife(s *suite) {
	before := s.subscriber(5, "keep")
	for _, payload := range []string{"1", "2"} {
		m := full("keep", 1)
		m.Payload, m.Retain = []byte(payload), true
		s.publish(m)
		if p := before.Receive(); string(p.Payload) != payload || p.Retain() {
			s.Errorf("subscribed before: got %q, retain %v", p.Payload, p.Retain())
		}
		after := s.subscriber(5, "keep")
		p := after.Receive()
		if diff := same(&p, m); diff != "" {
			s.Errorf("subscribed after: %s", diff)
		}
		if p := s.subscriber(4, "keep").Receive(); string(p.Payload) != payload || !p.Retain() {
			s.Errorf("3.1.1, subscribed after: got %q, retain %v", p.Payload, p.Retain())
		}
	}
	s.publish(&broker.Message{Topic: "keep", Retain: true})
	if p := before.Receive(); len(p.Payload) != 0 {
		s.Errorf("cleared: got %q", p.Payload)
	}
	s.subscriber(5, "keep").Nothing()
}

func retainedShown(s *suite) {
	want := full("shown/a", 1)
	want.Retain = true
	s.publish(want)
	s.publish(&broker.Message{Topic: "shown/b", Payload: []byte("x"), Retain: true})
	s.publish(&broker.Message{Topic: "shown/b", Retain: true})
	s.publish(&broker.Message{Topic: "other", Payload: []byte("x"), Retain: true})
	n := 0
	s.Broker.(broker.Retainer).Retained("shown/#", func(m *broker.Message) bool {
		n++
		if diff := sameMessage(m, want); diff != "" {
			s.Error(diff)
		}
		return true
	})
	if n != 1 {
		s.Errorf("%d retained messages, want 1", n)
	}
}

func retainedWildcards(s *suite) {
	for _, topic := range []string{"x", "x/1", "x/1/2", "y/1", "/x", "$d/x"} {
		s.publish(&broker.Message{Topic: topic, Payload: []byte("v"), Retain: true})
	}
	tests := map[string]string{
		"x":      "x",
		"x/#":    "x x/1 x/1/2",
		"x/+":    "x/1",
		"+/1":    "x/1 y/1",
		"+/+":    "/x x/1 y/1",
		"+/#":    "/x x x/1 x/1/2 y/1",
		"#":      "/x x x/1 x/1/2 y/1",
		"x/1/#":  "x/1 x/1/2",
		"x/+/#":  "x/1 x/1/2",
		"$d/#":   "$d/x",
		"+/x":    "/x",
		"none/#": "",
	}
	for filter, want := range tests {
		c := s.subscriber(5, filter)
		c.Ping()
		if got := topics(c.waiting); got != want {
			s.Errorf("%q: got %q, want %q", filter, got, want)
		}
		c.Disconnect()
	}
}

// topics returns the topics of the PUBLISHes in order of the alphabet.
func topics(list []Packet) string {
	var names []string
	for _, p := range list {
		if p.Type == PUBLISH {
			names = append(names, p.Topic)
		}
	}
	return sorted(names)
}

func wildcards(s *suite) {
	tests := []struct {
		filter, topic string
		want          bool
	}{
		{"a", "a", true}, {"a", "a/b", false}, {"a", "A", false}, {"a/b", "a", false},
		{"+", "a", true}, {"+", "a/b", false}, {"+/+", "a/b", true}, {"+/+", "/b", true}, {"+", "", false},
		{"#", "a", true}, {"#", "a/b/c", true}, {"a/#", "a", true}, {"a/#", "a/b/c", true}, {"a/#", "ab", false},
		{"+/#", "a", true}, {"+/#", "a/b", true}, {"a/+/#", "a/b", true}, {"a/+/#", "a", false}, {"a/+/#", "a/b/c/d", true},
		{"a/+", "a/", true}, {"a/+", "a", false}, {"a/+/c", "a//c", true}, {"/+", "/a", true}, {"/#", "/", true}, {"/", "/", true},
		{"#", "$x/a", false}, {"+/a", "$x/a", false}, {"+/#", "$x/a", false}, {"$x/#", "$x/a", true}, {"$x/+", "$x/a", true},
		{"a/$x", "a/$x", true}, {"a/+", "a/$x", true},
		{"é/😀", "é/😀", true}, {"é/+", "é/😀", true},
	}
	for _, tt := range tests {
		if tt.topic == "" {
			continue
		}
		c := s.subscriber(5, tt.filter)
		c.Subscribe("zz/end", 0)
		s.publish(&broker.Message{Topic: tt.topic})
		s.publish(&broker.Message{Topic: "zz/end"})
		if p := c.Receive(); (p.Topic == tt.topic) != tt.want {
			s.Errorf("filter %q, topic %q: received is %v", tt.filter, tt.topic, !tt.want)
		} else if p.Topic == tt.topic && (tt.filter == "#" || tt.filter == "+/#" || tt.filter == "+/+") {
			c.Receive() // zz/end, which such filters match
		}
		c.Disconnect()
	}
}

func invalidTopics(s *suite) {
	for _, topic := range []string{"", "a/+", "#", "a\x00b", "\xff", strings.Repeat("x", 65536)} {
		err := s.Broker.Publish(s.ctx(), &broker.Message{Topic: topic})
		if !errors.Is(err, broker.ErrInvalidTopic) && !errors.Is(err, broker.ErrTooLarge) {
			s.Errorf("publish to %.20q: %v", topic, err)
		}
	}
	for _, filter := range []string{"", "a+", "a/#/b", "#a", "a\x00", "\xff"} {
		if _, err := s.Broker.Handle(s.ctx(), filter, nil); !errors.Is(err, broker.ErrInvalidTopic) {
			s.Errorf("handle %q: %v", filter, err)
		}
	}
}

func emptyPayload(s *suite) {
	c := s.subscriber(5, "empty")
	s.publish(&broker.Message{Topic: "empty", QoS: 1})
	if p := c.Receive(); len(p.Payload) != 0 {
		s.Errorf("got %q", p.Payload)
	}
}

// slowSubscriber publishes more than sockets hold to a client that does not read,
// while another one reads all of it.
func slowSubscriber(s *suite) {
	for qos := range byte(2) {
		s.connect(Connect{}).Subscribe("flood", qos)
		good := s.subscriber(5, "flood")
		payload := make([]byte, 64<<10)
		const n = 400 // 25 MiB
		done := make(chan error, 1)
		ctx := s.ctx()
		// As fast as the good one reads: it must not lose anything either.
		credit := make(chan struct{}, 32)
		go func() {
			for range n {
				credit <- struct{}{}
				if err := s.Broker.Publish(ctx, &broker.Message{Topic: "flood", Payload: payload, QoS: qos}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for range n {
			good.Receive()
			<-credit
		}
		if err := receive(s, done, "end of publishing"); err != nil {
			s.Errorf("QoS %d: %v", qos, err)
		}
		good.Disconnect()
	}
}
