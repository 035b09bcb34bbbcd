package embedded_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"siomq/adapter/broker"
	bt "siomq/adapter/broker/brokertest"
	"siomq/adapter/broker/embedded"
)

// openFree returns a broker where everything is allowed.
func openFree(t *testing.T, o embedded.Options) *embedded.Broker {
	t.Helper()
	b := open(t, o)
	b.SetAccess(broker.Access{})
	return b
}

func publish(t *testing.T, b *embedded.Broker, m *broker.Message) {
	t.Helper()
	if err := b.Publish(context.Background(), m); err != nil {
		t.Fatal(err)
	}
}

func number(i int) []byte { return fmt.Appendf(nil, "%d", i) }

const hour = 3600

// session is a CONNECT that resumes and keeps a session.
func session(id string) bt.Connect {
	return bt.Connect{ClientID: id, Resume: true, Props: bt.Props{SessionExpiry: hour}}
}

// eventually waits for what the broker does after it has answered.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bt.Patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestReceiveMaximum: no more than 4 are under way at once, and all arrive.
func TestReceiveMaximum(t *testing.T) {
	b := openFree(t, embedded.Options{})
	o := session("c")
	o.Props.ReceiveMaximum = 4
	for qos := byte(1); qos <= 2; qos++ {
		c := connect(t, b, o)
		c.Subscribe("t", qos)
		for i := range 60 {
			publish(t, b, &broker.Message{Topic: "t", Payload: number(i), QoS: 2})
		}
		var under []bt.Packet
		for range 4 {
			under = append(under, c.Await(bt.PUBLISH))
		}
		c.Nothing()
		next := 0
		for len(under) > 0 {
			p := under[0]
			under = under[1:]
			if string(p.Payload) != fmt.Sprint(next) {
				t.Fatalf("QoS %d: message %d is %q", qos, next, p.Payload)
			}
			next++
			if qos == 1 {
				c.Ack(bt.PUBACK, p.ID)
			} else {
				c.Ack(bt.PUBREC, p.ID)
				c.Await(bt.PUBREL)
				c.Ack(bt.PUBCOMP, p.ID)
			}
			if next+len(under) < 60 {
				under = append(under, c.Await(bt.PUBLISH))
			}
			c.Nothing()
		}
		if next != 60 {
			t.Errorf("QoS %d: %d of 60 arrived", qos, next)
		}
		c.Disconnect()
	}
}

// TestBacklog: what was published while the client was away comes in order, and
// only what had been sent before is marked as a repetition.
func TestBacklog(t *testing.T) {
	b := openFree(t, embedded.Options{})
	for _, o := range []bt.Connect{session("five"), {ClientID: "four", Version: 4, Resume: true}} {
		c := connect(t, b, o)
		c.Subscribe("t", 2)
		const n = 300
		send := func(from, to int) {
			for i := from; i < to; i++ {
				publish(t, b, &broker.Message{Topic: "t", Payload: number(i), QoS: byte(1 + i%2)})
			}
		}
		send(0, 20)
		first := make([]bt.Packet, 20)
		for i := range first {
			first[i] = c.Await(bt.PUBLISH)
		}
		c.Ack(bt.PUBACK, first[0].ID) // QoS 1: done
		c.Ack(bt.PUBREC, first[1].ID) // QoS 2: released
		c.Await(bt.PUBREL)
		_ = c.Conn.Close()
		eventually(t, "the client has left", func() bool { return b.Stats().Connections == 0 })
		send(20, n)
		c = bt.NewClient(t, dial(t, b), c.Version)
		if ack := c.Connect(o); !ack.Present {
			t.Error("no session present")
		}
		if rel := c.Await(bt.PUBREL); rel.ID != first[1].ID {
			t.Errorf("PUBREL %d, want %d", rel.ID, first[1].ID)
		}
		c.Ack(bt.PUBCOMP, first[1].ID)
		for i := 2; i < n; i++ {
			p := c.Await(bt.PUBLISH)
			again := i < 20
			if string(p.Payload) != fmt.Sprint(i) || p.Dup() != again || again && p.ID != first[i].ID {
				t.Fatalf("message %d: got %q, DUP %v, identifier %d", i, p.Payload, p.Dup(), p.ID)
			}
			if p.QoS() == 1 {
				c.Ack(bt.PUBACK, p.ID)
			} else {
				c.Ack(bt.PUBREC, p.ID)
				c.Await(bt.PUBREL)
				c.Ack(bt.PUBCOMP, p.ID)
			}
		}
		c.Nothing()
		c.Disconnect()
	}
}

// TestIdentifiersApart: packet identifiers of client and broker are two spaces.
func TestIdentifiersApart(t *testing.T) {
	b := openFree(t, embedded.Options{})
	c := connect(t, b, session("c"))
	c.Subscribe("t", 2)
	var under []bt.Packet
	for i := range 20 {
		publish(t, b, &broker.Message{Topic: "t", Payload: number(i), QoS: 2})
		under = append(under, c.Await(bt.PUBLISH))
	}
	// The client uses the identifiers that the broker has under way: 1 to 20.
	for _, p := range under[:10] {
		c.Send(c.PublishBytes(&broker.Message{Topic: "other", QoS: 2}, p.ID, bt.Props{}))
		if ack := c.Await(bt.PUBREC); ack.ID != p.ID || ack.Code != 0 {
			t.Fatalf("PUBREC %+v", ack)
		}
	}
	if ack := c.SubscribeWith(bt.Props{}, bt.Filter{Filter: "more"}); ack.Codes[0] != 0 {
		t.Errorf("SUBACK %x", ack.Codes)
	}
	for _, p := range under {
		c.Ack(bt.PUBREC, p.ID)
		if rel := c.Await(bt.PUBREL); rel.ID != p.ID || rel.Code != 0 {
			t.Fatalf("PUBREL %+v for %d", rel, p.ID)
		}
		c.Ack(bt.PUBCOMP, p.ID)
	}
	for _, p := range under[:10] {
		c.Ack(bt.PUBREL, p.ID)
		if comp := c.Await(bt.PUBCOMP); comp.ID != p.ID || comp.Code != 0 {
			t.Fatalf("PUBCOMP %+v for %d", comp, p.ID)
		}
	}
	_ = c.Conn.Close()
	c = connect(t, b, session("c"))
	c.Nothing() // all of it was acknowledged
}

// TestIdentifiersGoRound: a message that is never acknowledged keeps its identifier
// while 65,535 others come and go.
func TestIdentifiersGoRound(t *testing.T) {
	b := openFree(t, embedded.Options{})
	c := connect(t, b, session("c"))
	c.Subscribe("t", 1)
	publish(t, b, &broker.Message{Topic: "t", QoS: 1})
	stuck := c.Await(bt.PUBLISH)
	const block = 100
	for range 66_000 / block {
		for range block {
			publish(t, b, &broker.Message{Topic: "t", QoS: 1})
		}
		for range block {
			p := c.Await(bt.PUBLISH)
			if p.ID == stuck.ID || p.ID == 0 {
				t.Fatalf("identifier %d given twice", p.ID)
			}
			c.Ack(bt.PUBACK, p.ID)
		}
	}
}

// TestClientPacketSize: what is over the client's packet size is left out, and its
// session goes on.
func TestClientPacketSize(t *testing.T) {
	b := openFree(t, embedded.Options{})
	o := session("c")
	o.Props.MaximumPacket = 100
	c := connect(t, b, o)
	c.SubscribeWith(bt.Props{SubscriptionIDs: []int{5}}, bt.Filter{Filter: "t", QoS: 1})
	send := func() {
		for _, qos := range []byte{0, 1} {
			publish(t, b, &broker.Message{Topic: "t", QoS: qos, Payload: make([]byte, 100)})
		}
		publish(t, b, &broker.Message{Topic: "t", QoS: 1, Payload: []byte("small")})
	}
	send()
	if p := c.Receive(); string(p.Payload) != "small" {
		t.Errorf("connected: got %d bytes", len(p.Payload))
	}
	_ = c.Conn.Close()
	eventually(t, "the client has left", func() bool { return b.Stats().Connections == 0 })
	send()
	for range 2 {
		c = connect(t, b, o)
		if p := c.Await(bt.PUBLISH); string(p.Payload) != "small" {
			t.Errorf("on return: got %d bytes", len(p.Payload))
		}
		_ = c.Conn.Close()
	}
	if n := b.Stats().Dropped["over the client's packet size"]; n != 3 {
		t.Errorf("%d drops counted, want 3", n)
	}
}

// TestAlias: a topic alias is resolved before access, handlers and delivery; a
// client that takes aliases and has a queue can tell each topic, on each connection.
func TestAlias(t *testing.T) {
	b := open(t, embedded.Options{})
	b.SetAccess(broker.Access{Publish: func(_ *broker.Client, topic string) bool { return topic != "" && topic != "denied" }})
	o := session("sub")
	o.Props.AliasMaximum = 10
	sub := connect(t, b, o)
	sub.Subscribe("#", 1)
	var handled []string
	if _, err := b.Handle(context.Background(), "#", func(m *broker.Message) error {
		handled = append(handled, m.Topic)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	c := connect(t, b, bt.Connect{})
	send := func(topic string, alias uint16) byte {
		id := c.NextID()
		c.Send(c.PublishBytes(&broker.Message{Topic: topic, QoS: 1}, id, bt.Props{TopicAlias: alias}))
		return c.Await(bt.PUBACK).Code
	}
	_ = sub.Conn.Close()
	eventually(t, "sub has left", func() bool { return b.Stats().Connections == 1 })
	want := []string{"one", "one", "two", "one", "three", "three"}
	for i, step := range []struct {
		topic string
		alias uint16
	}{{"one", 1}, {"", 1}, {"two", 2}, {"", 1}, {"three", 1}, {"", 1}} {
		if code := send(step.topic, step.alias); code != 0 {
			t.Errorf("step %d: reason code %#x", i, code)
		}
	}
	if code := send("denied", 3); code != 0x87 {
		t.Errorf("denied: %#x", code)
	}
	if code := send("", 3); code != 0x87 {
		t.Errorf("denied by alias: %#x", code)
	}
	for range 2 { // the second time as a repetition
		sub = connect(t, b, o)
		topics := map[uint16]string{}
		for i, topic := range want {
			p := sub.Await(bt.PUBLISH)
			if p.Topic != "" {
				topics[p.Props.TopicAlias] = p.Topic
			}
			if got := topics[p.Props.TopicAlias]; got != topic {
				t.Errorf("message %d is to %q, alias %d of %q, want %q", i, p.Topic, p.Props.TopicAlias, got, topic)
			}
		}
		_ = sub.Conn.Close()
	}
	if got := fmt.Sprint(handled); got != fmt.Sprint(want) {
		t.Errorf("handled %v, want %v", got, want)
	}
}

// TestSessionExpires: an expired session takes its subscriptions with it.
func TestSessionExpires(t *testing.T) {
	b := openFree(t, embedded.Options{})
	c := connect(t, b, bt.Connect{ClientID: "c", Props: bt.Props{SessionExpiry: 1}})
	c.Subscribe("t", 1)
	c.Disconnect()
	if !b.Known("c") || !b.Wants("t") {
		t.Error("the session ended at once")
	}
	publish(t, b, &broker.Message{Topic: "t", QoS: 1})
	eventually(t, "the session has ended", func() bool { return !b.Known("c") })
	if b.Wants("t") {
		t.Error("its subscription is still there")
	}
	c = bt.NewClient(t, dial(t, b), 5)
	if ack := c.Connect(session("c")); ack.Present {
		t.Error("a session is present")
	}
	publish(t, b, &broker.Message{Topic: "t", QoS: 1})
	c.Nothing()
}

// TestDisconnectSetsExpiry: DISCONNECT may end a session that was to be kept.
func TestDisconnectSetsExpiry(t *testing.T) {
	b := openFree(t, embedded.Options{})
	c := connect(t, b, session("c"))
	c.Subscribe("t", 1)
	c.Send(packet(0xE0, "\x00\x05\x11\x00\x00\x00\x00"))
	c.AwaitClose()
	eventually(t, "the session has ended", func() bool { return !b.Known("c") && !b.Wants("t") })
}

// TestTakeover: a second CONNECT with the same client identifier ends the first.
func TestTakeover(t *testing.T) {
	b := openFree(t, embedded.Options{})
	for _, version := range []byte{4, 5} {
		o := session("c")
		o.Version = version
		first := connect(t, b, o)
		first.Subscribe("t", 1)
		for range 20 {
			second := bt.NewClient(t, dial(t, b), version)
			if ack := second.Connect(o); !ack.Present || ack.Code != 0 {
				t.Fatalf("CONNACK %+v", ack)
			}
			if p := first.AwaitClose(); version == 5 && (p == nil || p.Code != 0x8E) {
				t.Errorf("DISCONNECT %+v, want 0x8e", p)
			}
			publish(t, b, &broker.Message{Topic: "t", QoS: 1})
			second.Receive()
			first = second
		}
	}
}

// TestManyTakeovers: many connections at once want the same client identifier;
// one is left, and nothing else.
func TestManyTakeovers(t *testing.T) {
	b := openFree(t, embedded.Options{})
	const n = 50
	done := make(chan struct{})
	for range n {
		conn := dial(t, b)
		go func() {
			defer func() { done <- struct{}{} }()
			_, _ = conn.Write(bt.Connect{Version: 5, ClientID: "c"}.Bytes())
			_ = conn.SetReadDeadline(time.Now().Add(bt.Patience))
			_, _ = conn.Read(make([]byte, 100))
		}()
		t.Cleanup(func() { _ = conn.Close() })
	}
	for range n {
		<-done
	}
	eventually(t, "one connection is left", func() bool { return b.Stats().Connections == 1 })
	if s := b.Stats().Sessions; s != 1 {
		t.Errorf("%d sessions", s)
	}
}

// TestInboundQoS2: a publish that is repeated before it was released is handled once,
// over a new connection too.
func TestInboundQoS2(t *testing.T) {
	b := openFree(t, embedded.Options{})
	sub := connect(t, b, bt.Connect{})
	sub.Subscribe("t", 0)
	c := connect(t, b, session("c"))
	again := func(dup bool) {
		bytes := c.PublishBytes(&broker.Message{Topic: "t", QoS: 2}, 9, bt.Props{})
		if dup {
			bytes[0] |= 8
		}
		c.Send(bytes)
		if p := c.Await(bt.PUBREC); p.ID != 9 || p.Code != 0 {
			t.Errorf("PUBREC %+v", p)
		}
	}
	again(false)
	again(true)
	_ = c.Conn.Close()
	c = connect(t, b, session("c"))
	again(true)
	sub.Receive()
	sub.Nothing()
	c.Ack(bt.PUBREL, 9)
	if p := c.Await(bt.PUBCOMP); p.Code != 0 {
		t.Errorf("PUBCOMP %+v", p)
	}
	c.Ack(bt.PUBREL, 9)
	if p := c.Await(bt.PUBCOMP); p.Code != 0x92 {
		t.Errorf("PUBCOMP for an unknown identifier: %+v, want 0x92", p)
	}
	again(false) // a new message
	sub.Receive()
}

// TestSharedSubscriptions: each message goes to one member, in turn among those
// that are connected.
func TestSharedSubscriptions(t *testing.T) {
	b := openFree(t, embedded.Options{})
	away := connect(t, b, session("away"))
	away.Subscribe("$share/g/t/#", 1)
	away.Disconnect()
	members := []*bt.Client{connect(t, b, bt.Connect{}), connect(t, b, bt.Connect{Version: 4})}
	for _, c := range members {
		c.Subscribe("$share/g/t/#", 1)
	}
	both := connect(t, b, bt.Connect{}) // a subscription of its own and one in another group
	both.Subscribe("t/#", 1)
	both.Subscribe("$share/h/t/#", 1)
	const n = 100
	for i := range n {
		publish(t, b, &broker.Message{Topic: "t/1", Payload: number(i), QoS: 1})
	}
	for range n {
		both.Receive()
		both.Receive()
	}
	total := 0
	for i, c := range members {
		c.Ping()
		got := 0
		for c.Pending(bt.PUBLISH) > 0 {
			c.Receive()
			got++
		}
		if got < n/3 {
			t.Errorf("member %d got %d of %d", i, got, n)
		}
		total += got
	}
	if total != n {
		t.Errorf("the group got %d of %d", total, n)
	}
	connect(t, b, session("away")).Nothing()
}

// TestSubscriptionOptions: No Local, Retain As Published, Retain Handling and
// subscription identifiers.
func TestSubscriptionOptions(t *testing.T) {
	b := openFree(t, embedded.Options{})
	const noLocal, asPublished, ifNew, never = 4, 8, 16, 32
	c := connect(t, b, bt.Connect{})
	c.SubscribeWith(bt.Props{SubscriptionIDs: []int{1}}, bt.Filter{Filter: "a/#", QoS: 1, Options: noLocal | asPublished})
	c.SubscribeWith(bt.Props{SubscriptionIDs: []int{300}}, bt.Filter{Filter: "a/+", QoS: 2, Options: noLocal})
	c.Publish(&broker.Message{Topic: "a/b", QoS: 1, Retain: true, Payload: []byte("own")})
	c.Nothing()
	connect(t, b, bt.Connect{}).Publish(&broker.Message{Topic: "a/b", QoS: 2, Retain: true, Payload: []byte("other")})
	p := c.Receive()
	if fmt.Sprint(p.Props.SubscriptionIDs) != "[1 300]" || p.QoS() != 2 || !p.Retain() || string(p.Payload) != "other" {
		t.Errorf("got %+v", p)
	}
	c.Nothing()
	retained := func(options byte) int {
		c.SubscribeWith(bt.Props{}, bt.Filter{Filter: "a/b", Options: options})
		c.Ping()
		n := c.Pending(bt.PUBLISH)
		for range n {
			c.Receive()
		}
		return n
	}
	for i, step := range []struct {
		options byte
		want    int
	}{{never, 0}, {ifNew, 0}, {0, 1}, {ifNew, 0}} {
		if got := retained(step.options); got != step.want {
			t.Errorf("step %d: %d retained messages, want %d", i, got, step.want)
		}
	}
	c.Unsubscribe("a/b")
	if got := retained(ifNew); got != 1 {
		t.Errorf("new subscription: %d retained messages", got)
	}
}

// TestMessageExpiry: the rest of the time is told, and what is too late is not
// delivered.
func TestMessageExpiry(t *testing.T) {
	b := openFree(t, embedded.Options{})
	c := connect(t, b, session("c"))
	c.Subscribe("t/#", 1)
	c.Disconnect()
	publish(t, b, &broker.Message{Topic: "t/short", QoS: 1, MessageExpiry: 1, Retain: true, Payload: []byte("x")})
	publish(t, b, &broker.Message{Topic: "t/long", QoS: 1, MessageExpiry: 100, Retain: true, Payload: []byte("x")})
	time.Sleep(1100 * time.Millisecond) // real time: connections are real
	for _, c := range []*bt.Client{connect(t, b, session("c")), connect(t, b, bt.Connect{})} {
		c.Subscribe("t/#", 1)
		p := c.Receive()
		if p.Topic != "t/long" || p.Props.Expiry > 99 || p.Props.Expiry < 90 {
			t.Errorf("got %q with expiry %d", p.Topic, p.Props.Expiry)
		}
	}
	if n := b.Stats().Retained; n != 1 {
		t.Errorf("%d messages retained, want 1", n)
	}
}

// TestWillDelay: a will waits for its delay, and is given up when the client comes
// back to its session, but not when the session ends.
func TestWillDelay(t *testing.T) {
	b := openFree(t, embedded.Options{})
	sub := connect(t, b, bt.Connect{})
	sub.Subscribe("#", 0)
	o := session("c")
	o.Will, o.WillProps.WillDelay = &broker.Message{Topic: "will/long"}, hour
	leave := func(o bt.Connect) {
		t.Helper()
		_ = connect(t, b, o).Conn.Close()
		eventually(t, "c has left", func() bool { return b.Stats().Connections == 1 })
	}
	leave(o)
	sub.Nothing()
	leave(o) // back in time, and gone again
	sub.Nothing()
	clean := o
	clean.Resume, clean.Will = false, nil
	connect(t, b, clean) // ends the session that the will belongs to
	if p := sub.Receive(); p.Topic != "will/long" {
		t.Errorf("got %q", p.Topic)
	}
	o = session("d")
	o.Will, o.WillProps.WillDelay = &broker.Message{Topic: "will/short"}, 1
	_ = connect(t, b, o).Conn.Close()
	if p := sub.Receive(); p.Topic != "will/short" {
		t.Errorf("got %q", p.Topic)
	}
	o.Props.SessionExpiry, o.WillProps.WillDelay = 1, hour
	o.ClientID, o.Will = "e", &broker.Message{Topic: "will/session"}
	_ = connect(t, b, o).Conn.Close()
	if p := sub.Receive(); p.Topic != "will/session" {
		t.Errorf("got %q", p.Topic)
	}
	sub.Nothing()
}

// TestDisconnectWithWill: reason code 0x04 asks for the will.
func TestDisconnectWithWill(t *testing.T) {
	b := openFree(t, embedded.Options{})
	sub := connect(t, b, bt.Connect{})
	sub.Subscribe("#", 0)
	c := connect(t, b, bt.Connect{Will: &broker.Message{Topic: "will"}})
	c.Send([]byte{0xE0, 1, 4})
	if p := sub.Receive(); p.Topic != "will" {
		t.Errorf("got %q", p.Topic)
	}
	// A will is published when the broker ends the connection, too.
	c = connect(t, b, bt.Connect{Will: &broker.Message{Topic: "will/2"}})
	c.Send([]byte{0xF0, 0})
	if p := sub.Receive(); p.Topic != "will/2" {
		t.Errorf("got %q", p.Topic)
	}
}

// TestSys: there is no $SYS, and nobody makes one.
func TestSys(t *testing.T) {
	b := openFree(t, embedded.Options{})
	c := connect(t, b, bt.Connect{})
	c.Subscribe("$SYS/#", 0)
	for _, topic := range []string{"$SYS", "$SYS/broker/version"} {
		if code := c.Publish(&broker.Message{Topic: topic, QoS: 1, Retain: true, Payload: []byte("x")}); code != 0x87 {
			t.Errorf("publish to %q: %#x", topic, code)
		}
	}
	_ = connect(t, b, bt.Connect{Will: &broker.Message{Topic: "$SYS/will", Retain: true, Payload: []byte("x")}}).Conn.Close()
	eventually(t, "the will is refused", func() bool { return b.Stats().Refused["$SYS"] == 3 })
	c.Nothing()
}
