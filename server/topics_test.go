package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"siomq/internal/siotest"
	"siomq/rooms"
	"siomq/rooms/acl"
	"siomq/rooms/topic"
	"siomq/server"
	"siomq/server/packet"
)

// open is a policy that allows everything, as a backend may everything.
type open struct{}

func (open) CanConnect(*acl.Principal, string) bool                    { return true }
func (open) CanJoin(*acl.Principal, string, rooms.Room) bool           { return true }
func (open) CanEmit(*acl.Principal, string, rooms.Target, string) bool { return true }
func (open) CanPublish(*acl.Principal, topic.Name) bool                { return true }
func (open) CanSubscribe(*acl.Principal, topic.Filter) bool            { return true }
func (open) CanReceive(*acl.Principal, topic.Name) bool                { return true }

func TestLastValueOnJoining(t *testing.T) {
	io, url, addr := startBoth(t, nil)
	io.UsePublish(func(p *server.Publish) error {
		if !p.Retained() {
			return nil
		}
		return p.SetArgs(p.ClientID(), p.Args())
	})
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		server.Handle(s, "join", func(_ *server.Event, room string) { _ = s.Join(room) })
	})
	d := dialDevice(t, addr, "sensor-1")
	retain := func(topic, payload string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), siotest.Deadline)
		defer cancel()
		if _, err := d.client.Publish(ctx, &paho.Publish{Topic: topic, Payload: []byte(payload), QoS: 1, Retain: true}); err != nil {
			t.Fatal(err)
		}
	}
	retain("sio/main/room/kitchen/temperature", "21")
	retain("sio/main/room/kitchen/gone", "x")
	retain("sio/main/room/kitchen/gone", "")
	retain("sio/main/room/other/temperature", "5")
	retain("sio/main/all/motto", "hi")
	_ = io.To("kitchen").Retain().Emit("lamp", true)

	c := siotest.Dial(t, url)
	c.Connect("/")
	c.Expect("motto", "sensor-1", "hi")
	c.Quiet("/")
	c.Emit("/", "join", "kitchen")
	got := []string{c.Next().Event, c.Next().Event}
	if slices.Sort(got); !slices.Equal(got, []string{"lamp", "temperature"}) {
		t.Errorf("on joining: %q", got)
	}
	c.Emit("/", "join", "kitchen") // it is in it already
	c.Quiet("/")
}

func TestAcknowledgementsToAResponseTopic(t *testing.T) {
	io, url, addr := startBoth(t, nil)
	io.OnConnection(func(s *server.Socket) { _ = s.Join("lobby"); echo(s) })
	d := dialDevice(t, addr, "asker")
	d.subscribe("answers/asker")
	sids := map[string]*siotest.Client{}
	for range 2 {
		c := siotest.Dial(t, url)
		sids[c.Connect("/")] = c
		c.Quiet("/")
	}
	ask := func(topic, response string) byte {
		ctx, cancel := context.WithTimeout(context.Background(), siotest.Deadline)
		defer cancel()
		res, err := d.client.Publish(ctx, &paho.Publish{Topic: topic, Payload: []byte("ready?"), QoS: 1, Properties: &paho.PublishProperties{
			ResponseTopic: response, CorrelationData: []byte{7},
		}})
		if res == nil {
			t.Fatal(err)
		}
		return res.ReasonCode
	}
	if code := ask("sio/main/room/lobby/question", "answers/asker"); code >= 0x80 {
		t.Fatalf("reason code %#x", code)
	}
	for sid, c := range sids {
		p := c.Expect("question", "ready?")
		if !p.HasID {
			t.Fatal("no acknowledgement is asked for")
		}
		c.Send(&packet.Packet{Type: packet.Ack, Namespace: "/", HasID: true, ID: p.ID, Args: server.Args{Raw: []byte(`"yes"`), N: 1}})
		answer := receive(t, d.received)
		if answer.Topic != "answers/asker" || string(answer.Payload) != "yes" || !slices.Equal(answer.Properties.CorrelationData, []byte{7}) ||
			answer.Properties.User.Get("sid") != sid {
			t.Errorf("answer %q %q %+v, want sid %s", answer.Topic, answer.Payload, answer.Properties, sid)
		}
	}
	for _, response := range []string{"sio-servers/x", "sio/main/control/room/lobby/disconnect", "$SYS/x"} {
		if code := ask("sio/main/room/lobby/question", response); code < 0x80 {
			t.Errorf("response topic %q: reason code %#x", response, code)
		}
	}
	for _, c := range sids {
		c.Quiet("/")
	}
}

// backend is an MQTT client that may what backends may.
func startWithBackend(t *testing.T) (*server.Server, string, *device) {
	io, url, addr := startBoth(t, &server.Options{Policy: open{}})
	return io, url, dialDevice(t, addr, "backend")
}

func TestBackendHearsAndAnswers(t *testing.T) {
	io, url, b := startWithBackend(t)
	b.subscribe("sio/main/from/#", "sio/main/call/#")
	io.OnConnection(func(s *server.Socket) {
		s.On("mine", func(e *server.Event) { _ = e.Ack("from the server") })
		s.Use(func(e *server.Event) error {
			if e.Name() == "refused" {
				return errors.New("no")
			}
			return nil
		})
	})
	c := siotest.Dial(t, url)
	sid := c.Connect("/")
	c.Emit("/", "refused", 1)
	c.Emit("/", "news", 1, "two")
	b.expect("sio/main/from/"+sid+"/news", `[1,"two"]`, "application/vnd.siomq.args+json")

	id := c.Call("/", "sum", 1, 2)
	p := receive(t, b.received)
	if want := "sio/main/call/" + sid + "/sum/1"; p.Topic != want || p.Properties.ResponseTopic != "sio/main/ack/"+sid+"/1" {
		t.Fatalf("call %q, response topic %q, want %q", p.Topic, p.Properties.ResponseTopic, want)
	}
	b.publish(p.Properties.ResponseTopic, "3", "")
	b.publish(p.Properties.ResponseTopic, "4", "") // the first reply counts
	if a := c.Next(); a.Type != packet.Ack || a.ID != id || string(a.Args.Raw) != "3" {
		t.Errorf("got %s %d %s", a.Type, a.ID, a.Args.Raw)
	}
	id = c.Call("/", "mine")
	p = receive(t, b.received)
	if a := c.Next(); a.Type != packet.Ack || a.ID != id || string(a.Args.Raw) != `"from the server"` {
		t.Errorf("got %s %d %s", a.Type, a.ID, a.Args.Raw)
	}
	b.publish(p.Properties.ResponseTopic, "late", "")
	b.publish("sio/main/ack/nobody/1", "x", "")
	c.Call("/", "mine")
	if a := c.Next(); string(a.Args.Raw) != `"from the server"` {
		t.Errorf("a late answer was given: %s", a.Args.Raw)
	}
}

func TestControl(t *testing.T) {
	io, url, b := startWithBackend(t)
	io.OnConnection(echo)
	one, two := siotest.Dial(t, url), siotest.Dial(t, url)
	sidOne, sidTwo := one.Connect("/"), two.Connect("/")
	one.Quiet("/")
	two.Quiet("/")
	b.publish("sio/main/control/socket/"+sidOne+"/join", "red", "")
	b.publish("sio/main/control/socket/"+sidTwo+"/join", `["red","blue"]`, "")
	if got := io.Socket(sidTwo).Rooms(); !slices.Equal(got, []string{sidTwo, "red", "blue"}) {
		t.Errorf("rooms %q", got)
	}
	b.publish("sio/main/control/room/red/leave", "blue", "")
	b.publish("sio/main/control/room/red/join", "green", "")
	if len(io.Sockets("green")) != 2 || len(io.Sockets("blue")) != 0 {
		t.Errorf("rooms %q", io.Rooms())
	}
	for _, bad := range []string{"", "{}", "[1]", "[]"} {
		if code := b.publish("sio/main/control/room/red/join", bad, ""); code < 0x80 {
			t.Errorf("join %q: reason code %#x", bad, code)
		}
	}
	b.publish("sio/main/control/socket/"+sidOne+"/disconnect", "", "")
	if p := one.Next(); p.Type != packet.Disconnect {
		t.Errorf("got %s", p.Type)
	}
	b.publish("sio/main/control/room/red/disconnect", "true", "")
	if p := two.Next(); p.Type != packet.Disconnect {
		t.Errorf("got %s", p.Type)
	}
	two.Closed()
}

func TestPrivateMessagesToAPerson(t *testing.T) {
	io, url, addr := startBoth(t, nil)
	io.Use(func(s *server.Socket) error {
		var auth struct{ Name string }
		if err := s.Handshake().BindAuth(&auth); err != nil || auth.Name == "" {
			return err
		}
		return s.SetUser(auth.Name)
	})
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		server.Handle(s, "join", func(e *server.Event, room string) { _ = e.Ack(s.Join(room) == nil) })
	})
	login := func(name string) *siotest.Client {
		c := siotest.Dial(t, url)
		auth, _ := json.Marshal(map[string]string{"name": name})
		c.Raw("40" + string(auth))
		if p := c.Next(); p.Type != packet.Connect {
			t.Fatalf("got %s", p.Type)
		}
		c.Quiet("/")
		return c
	}
	alice, phone, bob, thief := login("alice"), login("alice"), login("bob"), login("")
	for _, room := range []string{"alice", "\x00ualice", "user:alice"} { // rooms, whatever they are called
		thief.Call("/", "join", room)
		thief.Next()
	}
	_ = io.ToUser("alice").Emit("note", 1)
	alice.Expect("note", 1)
	phone.Expect("note", 1)
	d := dialDevice(t, addr, "device")
	d.subscribe("sio/#")
	d.publish("sio/main/user/bob/note", "2", "")
	bob.Expect("note", 2)
	_ = io.To("\x00ualice").Emit("room", 3)
	thief.Expect("room", 3)
	d.expect("sio/main/room/%00ualice/room", "3", "application/json")
	for _, c := range []*siotest.Client{alice, phone, bob, thief} {
		c.Quiet("/")
	}
	d.quiet()
	for _, s := range io.Sockets() {
		if s.User() == "alice" && len(s.Rooms()) != 1 {
			t.Errorf("a person is a room: %q", s.Rooms())
		}
		if s.User() == "bob" && s.SetUser("alice") == nil {
			t.Error("bob became alice")
		}
	}
	if slices.ContainsFunc(io.Rooms(), func(r string) bool { return r == "bob" }) {
		t.Errorf("rooms %q", io.Rooms())
	}
}

func TestExpiry(t *testing.T) {
	io, _, addr := startBoth(t, nil)
	_ = io.Retain().Expiry(1500*time.Millisecond).Emit("news", 1)
	d := dialDevice(t, addr, "late")
	d.subscribe("sio/main/all/news")
	p := receive(t, d.received)
	if e := p.Properties.MessageExpiry; e == nil || *e == 0 || *e > 2 {
		t.Errorf("message expiry %v, want 2 s or a little less", e)
	}
}
