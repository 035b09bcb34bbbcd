package main

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"siomq/internal/siotest"
	"siomq/server/packet"
)

// browser is a page as the server sees it.
type browser struct {
	*siotest.Client
	t       *testing.T
	welcome welcome
}

// open connects a browser. Without a name it only reads.
func open(t *testing.T, d demo, name string, rooms ...string) *browser {
	t.Helper()
	b := &browser{Client: siotest.Dial(t, d.http), t: t}
	auth, err := json.Marshal(credentials{Key: "key of " + name + t.Name(), Name: name, Rooms: rooms})
	if err != nil {
		t.Fatal(err)
	}
	b.Raw("40" + string(auth))
	if p := b.Next(); p.Type != packet.Connect {
		t.Fatalf("first packet %v, want CONNECT", p.Type)
	}
	decode(t, b.next("welcome"), &b.welcome)
	return b
}

func decode(t *testing.T, p *packet.Packet, v any) {
	t.Helper()
	if err := json.Unmarshal(p.Args.Raw, v); err != nil {
		t.Fatalf("%s: %v", p.Args.Raw, err)
	}
}

// next returns the next of these events and skips others, such as here and rooms.
func (b *browser) next(event string) *packet.Packet {
	b.t.Helper()
	for {
		if p := b.Next(); p.Type == packet.Event && p.Event == event {
			return p
		}
	}
}

// here waits until the event here fulfils a condition.
func (b *browser) here(what string, ok func(presence) bool) {
	b.t.Helper()
	for deadline := time.Now().Add(siotest.Deadline); time.Now().Before(deadline); {
		var p presence
		decode(b.t, b.next("here"), &p)
		if ok(p) {
			return
		}
	}
	b.t.Fatalf("never here: %s", what)
}

// ask emits and decodes the acknowledgement, and returns its error.
func (b *browser) ask(v any, event string, args ...any) string {
	b.t.Helper()
	id := b.Call("/", event, args...)
	for {
		p := b.Next()
		if p.Type != packet.Ack || p.ID != id {
			continue
		}
		var refused struct{ Error string }
		decode(b.t, p, &refused)
		if v != nil {
			decode(b.t, p, v)
		}
		return refused.Error
	}
}

// device is an MQTT client.
type testDevice struct {
	*paho.Client
	t        *testing.T
	received chan *paho.Publish
}

func connect(t *testing.T, d demo, id string, filters ...string) *testDevice {
	t.Helper()
	conn, err := net.Dial("tcp", d.mqtt)
	if err != nil {
		t.Fatal(err)
	}
	dev := &testDevice{t: t, received: make(chan *paho.Publish, 100)}
	dev.Client = paho.NewClient(paho.ClientConfig{Conn: packets.NewThreadSafeConn(conn), OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(p paho.PublishReceived) (bool, error) { dev.received <- p.Packet; return true, nil },
	}})
	ctx, cancel := context.WithTimeout(t.Context(), siotest.Deadline)
	defer cancel()
	if _, err := dev.Connect(context.WithoutCancel(ctx), &paho.Connect{ClientID: id, CleanStart: true, KeepAlive: 30}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dev.Disconnect(&paho.Disconnect{}) })
	for _, filter := range filters {
		if _, err := dev.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 1}}}); err != nil {
			t.Fatalf("subscribe %q: %v", filter, err)
		}
	}
	return dev
}

func (dev *testDevice) publish(topic, payload string) {
	dev.t.Helper()
	ctx, cancel := context.WithTimeout(dev.t.Context(), siotest.Deadline)
	defer cancel()
	if _, err := dev.Publish(ctx, &paho.Publish{Topic: topic, QoS: 1, Payload: []byte(payload)}); err != nil {
		dev.t.Fatalf("publish %q: %v", topic, err)
	}
}

func (dev *testDevice) next() (topic, payload string) {
	dev.t.Helper()
	select {
	case p := <-dev.received:
		return p.Topic, string(p.Payload)
	case <-time.After(siotest.Deadline):
		dev.t.Fatal("nothing received")
		return "", ""
	}
}

func TestNicknames(t *testing.T) {
	d := start(t, "-sensor=false")
	open(t, d, "Ana")
	tests := []struct{ name, nickname, want string }{
		{"taken", "Ana", "Somebody here is called Ana already. Please choose another nickname."},
		{"taken in other letters", "ANA", "Somebody here is called Ana already. Please choose another nickname."},
		{"empty", "", "A nickname needs at least one character."},
		{"blank", " \t\n ", "A nickname needs at least one character."},
		{"10,000 characters", strings.Repeat("x", 10_000), "A nickname has at most 24 characters; this one has 10,000."},
		{"writing turned round", "a\u202eb", "A nickname cannot contain characters that are not seen."},
		{"longest", strings.Repeat("é", 24), ""},
		{"emoji of several code points", "👩‍🚀", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t, d, "")
			if got := b.ask(nil, "name", tt.nickname); got != tt.want {
				t.Errorf("name %.30q = %q, want %q", tt.nickname, got, tt.want)
			}
		})
	}
}

func TestNicknameIsKept(t *testing.T) {
	d := start(t, "-sensor=false")
	first := open(t, d, "Ana")
	again := open(t, d, "Ana") // the same key: the same browser before its old socket is found dead
	if again.welcome.NameError != "" || again.welcome.Me != first.welcome.Me {
		t.Errorf("second socket is %+v, %q; want %+v", again.welcome.Me, again.welcome.NameError, first.welcome.Me)
	}
}

func TestConversation(t *testing.T) {
	d := start(t, "-sensor=false")
	ana, bob := open(t, d, "Ana", "lobby", "a/b"), open(t, d, "Bob", "a/b")
	lamp := connect(t, d, "lamp-1", "sio/main/room/a%2Fb/#", "sio/main/socket/lamp-1/#")

	var sent message
	if refused := ana.ask(&sent, "message", "<b>hello</b>", "a/b", "n1"); refused != "" {
		t.Fatal(refused)
	}
	var got message
	decode(t, bob.next("message"), &got)
	want := message{From: "Ana", Text: "<b>hello</b>", Room: "a/b", By: ana.welcome.Me.ID, ID: sent.ID, Time: sent.Time}
	if got != want {
		t.Errorf("Bob received %+v, want %+v", got, want)
	}
	var published message
	topic, payload := lamp.next()
	if err := json.Unmarshal([]byte(payload), &published); err != nil || topic != "sio/main/room/a%2Fb/message" || published != want {
		t.Errorf("the lamp received %s %s (%v), want %+v", topic, payload, err, want)
	}

	// Sent again, as a page does that got no acknowledgement.
	var repeated message
	ana.ask(&repeated, "message", "<b>hello</b>", "a/b", "n1")
	if repeated.ID != sent.ID {
		t.Errorf("the same nonce gave message %s, want %s", repeated.ID, sent.ID)
	}

	lamp.publish("sio/main/room/a%2Fb/message", "on")
	decode(t, bob.next("message"), &got)
	if got.From != "lamp-1" || got.Text != "on" || !got.Device || got.Room != "a/b" {
		t.Errorf("Bob received %+v, want on from the device", got)
	}
	lamp.publish("sio/main/room/a%2Fb/here", `{"people": 1}`)
	var e deviceEvent
	decode(t, bob.next("here"), &e)
	for !e.Device { // the chat's own event of that name
		decode(t, bob.next("here"), &e)
	}
	if e.From != "lamp-1" || e.Event != "here" || string(e.Value) != `{"people": 1}` {
		t.Errorf("Bob received %+v %s, want the device's event", e, e.Value)
	}

	carl := open(t, d, "Carl", "a/b")
	joined := carl.welcome.Joined
	if len(joined) != 1 || len(joined[0].Messages) != 2 || len(joined[0].Events) != 1 {
		t.Fatalf("Carl sees %+v, want a/b with 2 messages and 1 event", joined)
	}
	if want := []device{{ID: "lamp-1", Listens: true}}; !slices.Equal(joined[0].Devices, want) {
		t.Errorf("Carl sees devices %+v, want %+v", joined[0].Devices, want)
	}
}

func TestMessageRefused(t *testing.T) {
	d := start(t, "-sensor=false")
	ana, reader := open(t, d, "Ana"), open(t, d, "")
	tests := []struct {
		name string
		b    *browser
		args []any
		want string
	}{
		{"no nickname", reader, []any{"hello"}, "Choose a nickname first."},
		{"blank", ana, []any{" \n"}, "A message needs some text."},
		{"too long", ana, []any{strings.Repeat("x", 2001)}, "A message has at most 2,000 characters; this one has 2,001."},
		{"no text", ana, []any{map[string]int{"a": 1}}, "A message is a text."},
		{"elsewhere", ana, []any{"hello", "kitchen"}, "Join the room before you write in it."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.b.ask(nil, "message", tt.args...); got != tt.want {
				t.Errorf("message %.30v = %q, want %q", tt.args, got, tt.want)
			}
		})
	}
	t.Run("flood", func(t *testing.T) {
		var refused string
		for i := 0; i < 10*burst && refused == ""; i++ {
			refused = ana.ask(nil, "message", "x")
		}
		if want := "That was a lot at once. Wait a moment."; refused != want {
			t.Errorf("a flood is answered with %q, want %q", refused, want)
		}
	})
}

func TestRoomNames(t *testing.T) {
	d := start(t, "-sensor=false")
	ana, eve := open(t, d, "Ana"), open(t, d, "Eve")
	tests := []struct{ name, room, joined, want string }{
		{"plain", "kitchen", "kitchen", ""},
		{"spaces", "  my   room ", "my room", ""},
		{"wildcard", "#", "#", ""},
		{"empty", "", "", "The name of a room needs at least one character."},
		{"long", strings.Repeat("x", 41), "", "The name of a room has at most 40 characters; this one has 41."},
		{"somebody's private messages", ana.welcome.SID, "", "A room cannot have that name."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var reply struct{ Room roomState }
			got := eve.ask(&reply, "join", tt.room)
			if got != tt.want || reply.Room.Room != tt.joined {
				t.Errorf("join %q = %q, %q; want %q, %q", tt.room, reply.Room.Room, got, tt.joined, tt.want)
			}
		})
	}
}

func TestPrivate(t *testing.T) {
	d := start(t, "-sensor=false")
	ana, other, bob := open(t, d, "Ana"), open(t, d, "Ana"), open(t, d, "Bob")
	eve := open(t, d, "Eve")
	spy := connect(t, d, "spy", "#")
	lamp := connect(t, d, "lamp-1", "sio/main/socket/lamp-1/#")

	if refused := ana.ask(nil, "private", privateText{Person: bob.welcome.Me.ID, Text: "secret"}); refused != "" {
		t.Fatal(refused)
	}
	for name, b := range map[string]*browser{"Bob": bob, "Ana's other tab": other} {
		var got message
		decode(t, b.next("private"), &got)
		if got.Text != "secret" || got.From != "Ana" || got.To == nil || got.To.Name != "Bob" {
			t.Errorf("%s received %+v, want the secret from Ana to Bob", name, got)
		}
	}

	if refused := ana.ask(nil, "private", privateText{Device: "lamp-1", Text: "on?"}); refused != "" {
		t.Fatal(refused)
	}
	var got message
	topic, payload := lamp.next()
	if err := json.Unmarshal([]byte(payload), &got); err != nil || topic != "sio/main/socket/lamp-1/private" || got.Text != "on?" {
		t.Fatalf("the lamp received %s %s (%v)", topic, payload, err)
	}
	lamp.publish(got.Reply, "yes")
	var answer message
	decode(t, ana.next("private"), &answer)
	if answer.Text != "yes" || answer.From != "lamp-1" || !answer.Device || !answer.Private {
		t.Errorf("Ana received %+v, want yes from the device", answer)
	}

	// Nobody else saw any of it: what they receive next is said to all.
	bob.ask(nil, "message", "the end")
	for p := eve.Next(); p.Event != "message"; p = eve.Next() {
		if p.Event == "private" {
			t.Errorf("Eve received %s", p.Args.Raw)
		}
	}
	if topic, payload := spy.next(); !strings.Contains(payload, "the end") {
		t.Errorf("the spy received %s %s", topic, payload)
	}

	for name, p := range map[string]privateText{
		"That person is not connected now.":       {Person: "gone", Text: "x"},
		"The device lamp-9 is not connected now.": {Device: "lamp-9", Text: "x"},
		"A message needs some text.":              {Device: "lamp-1"},
	} {
		if refused := ana.ask(nil, "private", p); refused != name {
			t.Errorf("private %+v = %q, want %q", p, refused, name)
		}
	}
}

func TestWhoIsHere(t *testing.T) {
	d := start(t, "-sensor=false")
	ana := open(t, d, "Ana")
	bob := open(t, d, "Bob")
	ana.here("Bob came", func(p presence) bool { return len(p.People) == 2 && p.Watching == 0 })
	lamp := connect(t, d, "lamp-1")
	lamp.publish("sio/main/room/lobby/light", "40")
	ana.here("a device that published", func(p presence) bool { return slices.Equal(p.Devices, []device{{ID: "lamp-1"}}) })
	_ = lamp.Disconnect(&paho.Disconnect{})
	ana.here("the device left", func(p presence) bool { return len(p.Devices) == 0 })
	bob.Close()
	ana.here("Bob left", func(p presence) bool { return len(p.People) == 1 })
}

func TestSensor(t *testing.T) {
	d := start(t)
	ana := open(t, d, "Ana")
	var reading deviceEvent
	decode(t, ana.next("temperature"), &reading)
	if reading.From != sensorID || !reading.Device || reading.Room != lobby || !strings.Contains(string(reading.Value), "°C") {
		t.Errorf("reading %+v %s, want one in °C", reading, reading.Value)
	}
	status := func() sensorState {
		var e deviceEvent
		var s sensorState
		decode(t, ana.next("status"), &e)
		if err := json.Unmarshal(e.Value, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	tests := []struct {
		name  string
		order order
		want  sensorState
	}{
		{"faster", order{sensorID, "interval", json.RawMessage("1")}, sensorState{Interval: 1, Running: true}},
		{"too fast", order{sensorID, "interval", json.RawMessage("0.001")},
			sensorState{Interval: 1, Running: true, Error: "interval 0.001: must be a number of seconds from 0.2 to 3600"}},
		{"off", order{sensorID, "power", json.RawMessage("false")}, sensorState{Interval: 1}},
		{"nonsense", order{sensorID, "power", json.RawMessage(`"maybe"`)}, sensorState{Interval: 1, Error: "power maybe: must be true or false"}},
		{"something else", order{sensorID, "colour", json.RawMessage(`"red"`)}, sensorState{Interval: 1, Error: "colour: listens to interval and power only"}},
		{"on", order{sensorID, "power", json.RawMessage("true")}, sensorState{Interval: 1, Running: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Simulated = true
			ana.Call("/", "tell", tt.order)
			if got := status(); got != tt.want {
				t.Errorf("status %+v, want %+v", got, tt.want)
			}
		})
	}
	ana.Call("/", "private", privateText{Device: sensorID, Text: "who are you?"})
	var m message
	decode(t, ana.next("private"), &m)
	if m.From != sensorID || !strings.HasPrefix(m.Text, "I measure every 1 s") {
		t.Errorf("the sensor answered %+v", m)
	}
}
