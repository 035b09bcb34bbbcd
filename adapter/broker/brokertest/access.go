package brokertest

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"siomq/adapter/broker"
)

var accessSentences = []sentence{
	{says: "a client is let in or refused by Authenticate", test: authenticate, when: isGuarded},
	{says: "a CONNECT waits for SetAccess", test: connectWaits, when: isGuarded},
	{says: "a publish that Access denies reaches nobody", test: publishDenied, when: isGuarded},
	{says: "a subscription that Access denies is refused", test: subscribeDenied, when: isGuarded},
	{says: "no wildcard shows what Receive denies", test: receiveDenied, when: isGuarded},
	{says: "a will that Access denies is not published", test: willDenied, when: isGuarded},
}

func authenticate(s *suite) {
	var mu sync.Mutex
	seen := map[string]broker.Client{}
	s.guard(broker.Access{Authenticate: func(c *broker.Client) error {
		mu.Lock()
		defer mu.Unlock()
		k := *c
		k.Password = []byte(string(c.Password))
		seen[c.ID] = k
		switch {
		case strings.HasPrefix(c.ID, "taken"):
			return fmt.Errorf("taken: %w", broker.ErrClientID)
		case string(c.Password) != "secret":
			return errDenied
		}
		return nil
	}})
	tests := []struct {
		o    Connect
		code byte
	}{
		{Connect{Version: 5, ClientID: "good5", Username: "u", Password: "secret"}, 0},
		{Connect{Version: 4, ClientID: "good4", Username: "u", Password: "secret"}, 0},
		{Connect{Version: 3, ClientID: "good3", Username: "u", Password: "secret"}, 0},
		{Connect{Version: 5, ClientID: "bad5", Username: "u", Password: "no"}, 0x86},
		{Connect{Version: 4, ClientID: "bad4", Username: "u", Password: "no"}, 5},
		{Connect{Version: 4, ClientID: "anonymous4"}, 5},
		{Connect{Version: 5, ClientID: "taken5", Username: "u", Password: "secret"}, 0x85},
		{Connect{Version: 4, ClientID: "taken4", Username: "u", Password: "secret"}, 2},
	}
	for _, tt := range tests {
		c := NewClient(s.T, s.conn(), tt.o.Version)
		if ack := c.Connect(tt.o); ack.Code != tt.code {
			s.Errorf("%q: CONNACK %#x, want %#x", tt.o.ClientID, ack.Code, tt.code)
		}
		if tt.code != 0 {
			c.AwaitClose()
		}
		mu.Lock()
		got := seen[tt.o.ClientID]
		mu.Unlock()
		if got.Username != tt.o.Username || string(got.Password) != tt.o.Password || got.Version != tt.o.Version || got.Addr == "" {
			s.Errorf("%q: Authenticate saw %+v", tt.o.ClientID, got)
		}
	}
}

func connectWaits(s *suite) {
	c := NewClient(s.T, s.conn(), 5)
	c.Send(Connect{Version: 5, ClientID: "early"}.Bytes())
	s.guard(broker.Access{Authenticate: func(*broker.Client) error { return errDenied }})
	if ack := c.Await(CONNACK); ack.Code != 0x86 {
		s.Errorf("CONNACK %#x: let in before there was access", ack.Code)
	}
}

func publishDenied(s *suite) {
	s.guard(broker.Access{Publish: func(c *broker.Client, topic string) bool {
		return topic != "denied" && c.ID != "mute"
	}})
	all := s.subscriber(5, "#")
	handled := make(chan string, 10)
	s.handle("#", func(m *broker.Message) error { handled <- m.Topic; return nil })
	for _, version := range []byte{5, 4} {
		c := s.connect(Connect{Version: version})
		for qos := range byte(3) {
			code := c.Publish(&broker.Message{Topic: "denied", Payload: []byte("x"), QoS: qos, Retain: true})
			if version == 5 && qos > 0 && code != 0x87 {
				s.Errorf("QoS %d: reason code %#x, want 0x87", qos, code)
			}
		}
		c.Publish(&broker.Message{Topic: "allowed", QoS: 1})
		if p := all.Receive(); p.Topic != "allowed" {
			s.Errorf("version %d: %q was delivered", version, p.Topic)
		}
		if topic := receive(s, handled, "call"); topic != "allowed" {
			s.Errorf("version %d: %q was handled", version, topic)
		}
	}
	if code := s.connect(Connect{ClientID: "mute"}).Publish(&broker.Message{Topic: "x", QoS: 1}); code != 0x87 {
		s.Errorf("by another client: reason code %#x, want 0x87", code)
	}
	s.subscriber(5, "denied").Nothing()
}

func subscribeDenied(s *suite) {
	var mu sync.Mutex
	var asked []string
	s.guard(broker.Access{Subscribe: func(_ *broker.Client, filter string) bool {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, filter)
		return !strings.HasPrefix(filter, "denied")
	}})
	for version, code := range map[byte]byte{5: 0x87, 4: 0x80} {
		c := s.connect(Connect{Version: version})
		ack := c.SubscribeWith(Props{}, Filter{Filter: "denied/#", QoS: 1}, Filter{Filter: "ok/#", QoS: 1},
			Filter{Filter: "$share/g/denied/1", QoS: 1})
		if got, want := string(ack.Codes), string([]byte{code, 1, code}); got != want {
			s.Errorf("version %d: SUBACK %x, want %x", version, got, want)
		}
		s.publish(&broker.Message{Topic: "denied/1"})
		s.publish(&broker.Message{Topic: "ok/1"})
		if p := c.Receive(); p.Topic != "ok/1" {
			s.Errorf("version %d: received %q", version, p.Topic)
		}
		c.Disconnect()
	}
	mu.Lock()
	defer mu.Unlock()
	if got, want := sorted(asked), "denied/# denied/# denied/1 denied/1 ok/# ok/#"; got != want {
		s.Errorf("asked for %q, want %q", got, want)
	}
}

// receiveDenied has a private topic for each client, and reads it by all that
// could match.
func receiveDenied(s *suite) {
	s.guard(broker.Access{Receive: func(c *broker.Client, topic string) bool {
		owner, private := strings.CutPrefix(topic, "private/")
		return !private || owner == c.ID
	}})
	filters := []string{
		"#", "+/#", "+/+", "private/#", "private/+", "private/owner", "+/owner", "private/owner/#",
		"$share/g/#", "$share/g/private/owner",
	}
	owner := s.connect(Connect{ClientID: "owner"})
	owner.Subscribe("private/+", 1)
	m := &broker.Message{Topic: "private/owner", Payload: []byte("secret"), QoS: 1}
	kept := *m
	kept.Retain = true
	spies := map[string]*Client{}
	for i, filter := range filters {
		spy := s.connect(Connect{ClientID: fmt.Sprintf("spy%d", i), Version: []byte{4, 5}[i%2]})
		spy.Subscribe(filter, 2)
		spies[filter] = spy
	}
	s.publish(m)
	owner.Receive()
	s.connect(Connect{ClientID: "friend"}).Publish(&kept)
	owner.Receive()
	for filter, spy := range spies {
		spy.Nothing()
		spy.Subscribe(filter, 2) // for the retained message
		spy.Nothing()
	}
	late := s.connect(Connect{ClientID: "late"})
	late.Subscribe("#", 1)
	late.Nothing()
	again := s.connect(Connect{ClientID: "owner"}) // takes over
	again.Subscribe("#", 1)
	if p := again.Receive(); string(p.Payload) != "secret" || !p.Retain() {
		s.Errorf("the owner received %+v", p)
	}
}

func willDenied(s *suite) {
	s.guard(broker.Access{Publish: func(_ *broker.Client, topic string) bool { return topic != "denied" }})
	c := s.subscriber(5, "#")
	for _, topic := range []string{"denied", "allowed"} {
		dying := s.connect(Connect{Will: &broker.Message{Topic: topic, Retain: true, Payload: []byte("x")}})
		if err := dying.Conn.Close(); err != nil && !errors.Is(err, errDenied) {
			s.Fatal(err)
		}
	}
	if p := c.Receive(); p.Topic != "allowed" {
		s.Errorf("received %q", p.Topic)
	}
	s.subscriber(5, "denied").Nothing()
}
