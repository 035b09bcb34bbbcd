package embedded_test

import (
	"fmt"
	"testing"

	"siomq/adapter/broker"
	bt "siomq/adapter/broker/brokertest"
	"siomq/adapter/broker/embedded"
)

// TestServerTopicAlias: a client that takes topic aliases gets each topic once,
// then its alias (beside it at QoS 2), as many as both sides allow; a new connection starts anew.
func TestServerTopicAlias(t *testing.T) {
	b := openFree(t, embedded.Options{MaxTopicAlias: 2})
	o := session("c")
	o.Props.AliasMaximum = 5
	for range 2 {
		c := connect(t, b, o)
		c.Subscribe("a/#", 2)
		want := []string{"a/1 1", "a/2 2", "a/3 0", " 1", " 2", "a/3 0", "a/1 1", "a/2 2", "a/3 0"}
		for qos := range byte(3) {
			for i := 1; i <= 3; i++ {
				publish(t, b, &broker.Message{Topic: fmt.Sprint("a/", i), QoS: qos, Payload: []byte{'0' + byte(i)}})
			}
		}
		for i, w := range want {
			p := c.Receive()
			if got := fmt.Sprint(p.Topic, " ", p.Props.TopicAlias); got != w || int(p.Payload[0]-'1') != i%3 {
				t.Errorf("message %d: %q with payload %q, want %q", i, got, p.Payload, w)
			}
		}
		c.Disconnect()
	}
}

// TestServerTopicAliasNotGiven: a message that was not sent gives no alias, and
// who takes none gets none.
func TestServerTopicAliasNotGiven(t *testing.T) {
	b := openFree(t, embedded.Options{})
	plain := connect(t, b, bt.Connect{})
	plain.Subscribe("t", 0)
	c := connect(t, b, bt.Connect{Props: bt.Props{AliasMaximum: 1, MaximumPacket: 50}})
	c.Subscribe("t", 0)
	for _, size := range []int{100, 1, 2} {
		publish(t, b, &broker.Message{Topic: "t", Payload: make([]byte, size)})
		if p := plain.Receive(); p.Topic != "t" || p.Props.TopicAlias != 0 {
			t.Errorf("without aliases: topic %q, alias %d", p.Topic, p.Props.TopicAlias)
		}
	}
	if p := c.Receive(); p.Topic != "t" || p.Props.TopicAlias != 1 || len(p.Payload) != 1 {
		t.Errorf("first: topic %q, alias %d, %d bytes", p.Topic, p.Props.TopicAlias, len(p.Payload))
	}
	if p := c.Receive(); p.Topic != "" || p.Props.TopicAlias != 1 || len(p.Payload) != 2 {
		t.Errorf("second: topic %q, alias %d, %d bytes", p.Topic, p.Props.TopicAlias, len(p.Payload))
	}
}
