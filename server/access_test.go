package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"siomq/internal/siotest"
	"siomq/rooms/acl"
	"siomq/rooms/topic"
	"siomq/server"
	"siomq/server/auth"
	"siomq/server/packet"
)

// startGuarded runs both doors with two users, ann (a teacher) and bob, and room rules.
func startGuarded(t *testing.T, rules string) (io *server.Server, url, mqtt string) {
	t.Helper()
	dir := t.TempDir()
	users := filepath.Join(dir, "passwd")
	for _, name := range []string{"ann", "bob"} {
		if err := auth.SetPassword(users, name, []byte("secret of "+name), &auth.SetOptions{Create: name == "ann", Iterations: 101}); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := auth.OpenUsers(users, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "rooms.acl")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	policy, err := acl.Load(topic.Codec{}, acl.Files{Rooms: file})
	if err != nil {
		t.Fatal(err)
	}
	return startBoth(t, &server.Options{
		Authenticator: auth.WithRoles(opened, map[string][]string{"ann": {"teacher"}}),
		Policy:        policy,
	})
}

// login asks for the main namespace with a user name and password.
func login(c *siotest.Client, name, password string) *packet.Packet {
	payload, _ := json.Marshal(map[string]string{"username": name, "password": password})
	c.Raw("40" + string(payload))
	return c.Next()
}

func TestWhoIsItAndMayThey(t *testing.T) {
	io, url, addr := startGuarded(t, strings.Join([]string{
		"allow join room staff role teacher",
		"deny join room staff",
		"allow emit event alarm role teacher",
		"deny emit event alarm",
	}, "\n"))
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		server.Handle(s, "join", func(e *server.Event, room string) {
			err := s.Join(room)
			_ = e.Ack(errors.Is(err, server.ErrNotAllowed), err == nil)
		})
		server.Handle(s, "send", func(e *server.Event, event string) {
			_ = e.Ack(errors.Is(s.Broadcast().Emit(event), server.ErrNotAllowed))
		})
		s.On("alarm", func(e *server.Event) { _ = e.Ack("rang") })
	})

	stranger := siotest.Dial(t, url)
	for _, wrong := range []string{"", "secret of bob"} {
		if p := login(stranger, "ann", wrong); p.Type != packet.ConnectError || string(p.Data) != `{"message":"not authorized"}` {
			t.Errorf("password %q: %s %s", wrong, p.Type, p.Data)
		}
	}
	ann, bob := siotest.Dial(t, url), siotest.Dial(t, url)
	for name, c := range map[string]*siotest.Client{"ann": ann, "bob": bob} {
		if p := login(c, name, "secret of "+name); p.Type != packet.Connect {
			t.Fatalf("%s: %s %s", name, p.Type, p.Data)
		}
	}
	ask := func(c *siotest.Client, event string, values ...any) string {
		c.Call("/", event, values...)
		return string(c.Next().Args.Raw)
	}
	if got := ask(ann, "join", "staff"); got != "false,true" {
		t.Errorf("the teacher: %s", got)
	}
	if got := ask(bob, "join", "staff"); got != "true,false" {
		t.Errorf("the pupil: %s", got)
	}
	if got := ask(bob, "join", "yard"); got != "false,true" {
		t.Errorf("a room without a rule: %s", got)
	}
	if got := ask(ann, "alarm"); got != `"rang"` {
		t.Errorf("the teacher's alarm: %s", got)
	}
	if got := ask(bob, "alarm"); got != `{"error":"not allowed"}` {
		t.Errorf("the pupil's alarm: %s", got)
	}
	if got := ask(bob, "send", "alarm"); got != "true" {
		t.Errorf("the pupil's alarm to others: %s", got)
	}
	_ = io.ToUser("bob").Emit("note", 1)
	bob.Expect("note", 1)
	ann.Quiet("/")

	t.Run("the same at the MQTT door", func(t *testing.T) {
		d := &device{t: t}
		if code, _ := d.login(addr, "d", "ann", "wrong"); code != 0x86 {
			t.Errorf("a wrong password: reason code %#x, want 0x86", code)
		}
		pupil, teacher := &device{t: t}, &device{t: t}
		for name, d := range map[string]*device{"ann": teacher, "bob": pupil} {
			if code, err := d.login(addr, "device of "+name, name, "secret of "+name); code != 0 || err != nil {
				t.Fatalf("%s: %#x, %v", name, code, err)
			}
		}
		teacher.subscribe("sio/main/room/staff/#", "sio/main/user/ann/#")
		if _, err := pupil.trySubscribe("sio/main/room/staff/#"); err == nil {
			t.Error("the pupil subscribed to the staff room")
		}
		pupil.subscribe("sio/#")
		_ = io.To("staff").Emit("gossip", 1)
		_ = io.ToUser("ann").Emit("note", 2)
		teacher.expect("sio/main/room/staff/gossip", "1", "application/json")
		teacher.expect("sio/main/user/ann/note", "2", "application/json")
		pupil.quiet()
		if code := pupil.publish("sio/main/all/alarm", "x", ""); code < 0x80 {
			t.Errorf("the pupil's alarm: reason code %#x", code)
		}
	})
}

func TestTopicRooms(t *testing.T) {
	io, url, addr := startBoth(t, nil)
	io.OnConnection(func(s *server.Socket) {
		echo(s)
		server.Handle(s, "watch", func(e *server.Event, filter string) {
			if err := s.Join("topic:" + filter); err != nil {
				_ = e.Ack(err.Error())
				return
			}
			_ = e.Ack("ok")
		})
		server.Handle(s, "unwatch", func(e *server.Event, filter string) { s.Leave("topic:" + filter); _ = e.Ack() })
	})
	c, other := siotest.Dial(t, url), siotest.Dial(t, url)
	sid := c.Connect("/")
	otherSID := other.Connect("/")
	watch := func(filter string) string {
		c.Call("/", "watch", filter)
		var answer string
		_ = json.Unmarshal(c.Next().Args.Raw, &answer)
		return answer
	}
	for _, filter := range []string{"howest/+/sensors/#", "#", "sio/main/socket/+/+"} {
		if got := watch(filter); got != "ok" {
			t.Errorf("watch %q: %s", filter, got)
		}
	}
	for _, filter := range []string{"", "a/#/b", "a+", "$share/g/x", "sio/main/socket/" + otherSID + "/#", "sio-servers/#"} {
		if got := watch(filter); got == "ok" {
			t.Errorf("watch %q was allowed", filter)
		}
	}
	c.Call("/", "unwatch", "#")
	c.Next()
	c.Call("/", "unwatch", "sio/main/socket/+/+")
	c.Next()

	d := dialDevice(t, addr, "sensor-1")
	d.publish("howest/a/sensors/t", "21.5", "")
	c.Expect("mqtt", "howest/a/sensors/t", json.Number("21.5"), json.RawMessage(`{"qos":1,"retain":false,"clientId":"sensor-1"}`))
	d.publish("howest/a/sensors/cam", "\x00\xff", "application/octet-stream")
	c.Expect("mqtt", "howest/a/sensors/cam", []byte{0, 255},
		json.RawMessage(`{"qos":1,"retain":false,"clientId":"sensor-1","contentType":"application/octet-stream"}`))
	d.publish("elsewhere", "x", "")
	c.Quiet("/")

	// What the server emits is seen too, and what is private to others is not.
	if got := watch("sio/#"); got != "ok" {
		t.Fatal(got)
	}
	_ = io.To("empty room").Emit("news", "x", 2)
	c.Expect("mqtt", "sio/main/room/empty%20room/news", []any{"x", 2}, json.RawMessage(`{"qos":1,"retain":false,"contentType":"application/vnd.siomq.args+json"}`))
	_ = io.To(otherSID).Emit("secret", "x")
	other.Expect("secret", "x")
	d.publish("sio/main/socket/"+otherSID+"/secret", "y", "")
	other.Expect("secret", "y")
	_ = io.ToSocket("sensor-1").Emit("secret", "z")
	_ = io.ToUser("ann").Emit("secret", "z")
	c.Quiet("/")
	_ = io.To(sid).Emit("mine", 1) // once as itself, once as a publish that it may see
	got := c.Next().Event + " " + c.Next().Event
	if got != "mine mqtt" && got != "mqtt mine" {
		t.Errorf("its own private message: %s", got)
	}

	t.Run("nobody else speaks for the server", func(t *testing.T) {
		for _, topic := range []string{"sio/main/all/mqtt", "sio/main/room/topic%3A%23/x", "sio/main/socket/" + sid + "/mqtt"} {
			if code := d.publish(topic, "x", ""); code < 0x80 {
				t.Errorf("publish to %q: reason code %#x", topic, code)
			}
		}
	})
	t.Run("nothing is left behind", func(t *testing.T) {
		c.Close()
		until(t, "the rooms are gone", func() bool { return len(io.Rooms()) == 0 })
		d.publish("howest/a/sensors/t", "1", "")
		other.Quiet("/")
	})
}

func TestTopicRoomWithoutMQTT(t *testing.T) {
	io, url := start(t, nil)
	joined := make(chan error, 1)
	io.OnConnection(func(s *server.Socket) { joined <- s.Join("topic:a/#") })
	c := siotest.Dial(t, url)
	c.Connect("/")
	if err := receive(t, joined); !errors.Is(err, server.ErrNoMQTT) {
		t.Errorf("got %v, want ErrNoMQTT", err)
	}
}

func TestAuthenticatorThatFails(t *testing.T) {
	io, url := start(t, &server.Options{Authenticator: auth.Func(func(_ context.Context, c *auth.Credentials) (*auth.Principal, error) {
		if c.Token == "panic" {
			panic("in an authenticator")
		}
		if c.Token != "good" {
			return nil, errors.New("the database is away, and its password is 1234")
		}
		return &auth.Principal{Username: "ann"}, nil
	})})
	io.OnConnection(func(s *server.Socket) { echo(s); _ = s.Emit("you", s.User()) })
	c := siotest.Dial(t, url)
	c.Raw(`40{"token":"bad"}`)
	if p := c.Next(); string(p.Data) != `{"message":"not authorized"}` {
		t.Errorf("got %s", p.Data)
	}
	c.Raw(`40{"token":"good"}`)
	c.Next()
	c.Expect("you", "ann")
	bad := siotest.Dial(t, url)
	bad.Raw(`40{"token":"panic"}`)
	bad.Closed()
	c.Quiet("/")
	if got := io.Sockets(); len(got) != 1 {
		t.Errorf("%d sockets", len(got))
	}
}
